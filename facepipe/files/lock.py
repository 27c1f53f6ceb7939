"""One lock for every file that is read, changed and written, and for every folder that files are written into."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE = 2.0
_held: dict[Path, int] = {}
"""Files whose locks this process holds, and the thread that does."""


@contextmanager
def locked(
    path: Path, waiting: Callable[[str], None] = lambda _: None, folder: bool = False
) -> Iterator[None]:
    """Hold the lock of ``path`` while the block runs; other processes that ask for it wait.

    The lock is a hidden file beside what ``path`` names once links are resolved, so that two names of one file share
    it. It is released when the process ends, however it ends, and its file goes with it unless the process was killed.
    Within such a block of its own a thread may ask for it again.

    Args:
        path: of the file that is to be read, changed and written; it need not exist.
        waiting: called once with a line, when another process has held the lock for two seconds; what it raises ends
            the waiting.
        folder: ``path`` is a folder that files are to be written into; then the hidden file is in it, since the folder
            around it may be another's.

    Raises:
        OSError: the lock's file cannot be made.
    """
    real = path.resolve()
    if _held.get(real) == threading.get_ident():
        yield
        return
    file = real / ".facepipe.lock" if folder else real.with_name(f".{real.name[:48]}.lock")
    made = _make_folder(file.parent)
    try:
        with _alone(file, path, waiting):
            _held[real] = threading.get_ident()
            try:
                yield
            finally:
                del _held[real]
    finally:
        for each in made:
            with suppress(OSError):  # something was written into it
                each.rmdir()


@contextmanager
def _alone(file: Path, path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    from filelock import FileLock, Timeout  # it brings asyncio, which a command that locks nothing does without

    lock = FileLock(str(file))

    def acquire(seconds: float) -> None:
        try:
            lock.acquire(timeout=seconds)
        except FileNotFoundError:  # whoever held it took its folder away, having written nothing
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
        # While it is held: whoever waits sees that the file is no longer there, and makes another.
        with suppress(OSError):
            file.unlink()
        lock.release()


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder; returns those that were not there, innermost first."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    folder.mkdir(parents=True, exist_ok=True)
    return missing
