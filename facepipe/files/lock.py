"""Locks for files that are read, changed and written, and for folders that files are written into."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE = 2.0
_held: dict[Path, int] = {}
"""Files whose locks this process holds → the thread that holds them."""


@contextmanager
def locked(
    path: Path, waiting: Callable[[str], None] = lambda _: None, folder: bool = False
) -> Iterator[None]:
    """Hold the lock of ``path`` while the block runs; other processes that request it wait.

    The lock is a hidden file next to the target of ``path`` with links resolved, so that two names of one file share
    it. It is released when the process ends, however it ends, and the file is removed unless the process was killed.
    A thread that holds the lock may request it again.

    Args:
        path: of the file to be read, changed and written; it need not exist.
        waiting: called once with a message after another process has held the lock for two seconds; an exception
            raised by it ends the waiting.
        folder: ``path`` is a folder that files are to be written into. The hidden file is then inside it, since its
            parent folder may belong to somebody else.

    Raises:
        OSError: the lock file cannot be created.
    """
    real = path.resolve()
    if _held.get(real) == threading.get_ident():
        yield
        return
    file = real / ".facepipe.lock" if folder else real.with_name(f".{real.name[:48]}.lock")
    made = _make_folder(file.parent)
    try:
        with _exclusive(file, path, waiting):
            _held[real] = threading.get_ident()
            try:
                yield
            finally:
                del _held[real]
    finally:
        for each in made:
            with suppress(OSError):  # not empty: something was written into it
                each.rmdir()


@contextmanager
def _exclusive(file: Path, path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    from filelock import FileLock, Timeout  # it imports asyncio, which commands that lock nothing do without

    lock = FileLock(str(file))

    def acquire(seconds: float) -> None:
        try:
            lock.acquire(timeout=seconds)
        except FileNotFoundError:  # the previous holder wrote nothing and removed the folder
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=seconds)

    try:
        acquire(_PATIENCE)
    except Timeout:
        waiting(f"{path}: another process is changing it; waiting for it to finish")
        acquire(-1)
    try:
        yield
    finally:
        # Removed while held: a waiting process sees that the file is gone and creates another.
        with suppress(OSError):
            file.unlink()
        lock.release()


def _make_folder(folder: Path) -> list[Path]:
    """Create a folder; returns the folders that did not exist, innermost first."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    folder.mkdir(parents=True, exist_ok=True)
    return missing
