"""One lock for every file that is read, changed and written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 2.0


@contextmanager
def locked(path: Path, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of ``path`` while the block runs; other processes that ask for it wait.

    The lock is a hidden file beside what ``path`` names once links are resolved, so that two names of one file share
    it. It is released when the process ends, however it ends.

    Args:
        path: of the file that is to be read, changed and written; it need not exist.
        waiting: called once with a line, when another process has held the lock for two seconds.

    Raises:
        OSError: the lock's file cannot be made.
    """
    from filelock import FileLock, Timeout  # it brings asyncio, which a command that locks nothing does without

    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(real.with_name(f".{real.name[:48]}.lock")))
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        waiting(f"{path}: another process is changing it; waiting for it to finish")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
