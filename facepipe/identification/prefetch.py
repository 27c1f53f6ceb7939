"""Overlapping pipeline stages, each in its own thread, with bounded queues between them."""

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_END = object()
_PATIENCE = 0.1


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def read_ahead(
    items: Iterable[T], room: int, name: str, drop: Callable[[T], None] | None = None
) -> Generator[T, None, None]:
    """The items in order, produced by a thread that is at most ``room`` items ahead.

    Exceptions of the iterable are raised here in order. When this generator is closed, the thread ends and closes the
    iterable.

    Args:
        items: of one stage.
        room: maximum number of waiting items.
        name: of the thread.
        drop: drop the oldest waiting item if there is no room, for live sources such as cameras;
            called with each dropped item.
    """
    queue: Queue[Any] = Queue(room)
    stop = Event()

    def work() -> None:
        try:
            for item in items:
                if not _put(queue, item, stop, drop):
                    return
            _put(queue, _END, stop)
        except BaseException as error:
            _put(queue, _Failed(error), stop)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = Thread(target=work, name=f"facepipe-{name}", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _END:
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()


def _put(queue: "Queue[Any]", item: object, stop: Event, drop: Callable[[Any], None] | None = None) -> bool:
    """Wait for room, or make room; False if the reader has stopped."""
    while not stop.is_set():
        with suppress(Full):
            queue.put(item, timeout=_PATIENCE if drop is None else 0.001)
            return True
        if drop is not None:
            with suppress(Empty):
                drop(queue.get_nowait())
    return False


class InBackground(Generic[T]):
    """Calls ``work(item)`` in a thread, in order; `put` blocks while ``room`` items are pending.

    A context manager: leaving it waits until all work is done, even after an exception. Exceptions of ``work`` are
    raised by the next `put` or on leaving.
    """

    def __init__(self, work: Callable[[T], None], room: int, name: str) -> None:
        self._queue: Queue[Any] = Queue(room)
        self._stop = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(work,), name=f"facepipe-{name}", daemon=True)

    def __enter__(self) -> "InBackground[T]":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _put(self._queue, _END, self._stop)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Add an item."""
        if not _put(self._queue, item, self._stop) and self._error is not None:
            raise self._error

    def _run(self, work: Callable[[T], None]) -> None:
        try:
            while (item := self._queue.get()) is not _END:
                work(item)
        except BaseException as error:
            self._error = error
            self._stop.set()
