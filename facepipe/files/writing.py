"""Writing a file completely or not at all, for all commands."""

import errno
import hashlib
import os
import re
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from facepipe.files.stored import StoredPath


@contextmanager
def replacing(
    path: Path, private: bool = False, check: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; rename it to ``path`` if the block succeeds.

    For a store, the file is written to the local temporary folder and uploaded once it is complete.
    If ``path`` is a link, its target is replaced and the link stays. A new file takes over the mode of the one it
    replaces and, if permitted, its owner. If the block raises, or nothing was written, or the check
    fails, the temporary file is removed and ``path`` stays as it was.

    Args:
        path: the file to write.
        private: a file that did not exist before is readable and writable only by its owner (mode 0600).
        check: called with the temporary file once it is closed, for writers that do not report failures; it
            raises if the file is not as it should be.

    Raises:
        OSError: ``path`` is a folder, or cannot be written.
    """
    if isinstance(path, StoredPath):
        with _sending(path, check) as temporary:
            yield temporary
        return
    target = _ready(path)
    _remove_leftovers(target.parent)
    temporary = target.with_name(f"{_stem(target)}{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        if private:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        if private and temporary.stat().st_size == 0:
            raise FileNotFoundError(errno.ENOENT, "nothing was written", str(path))
        if check is not None:
            check(temporary)
        _hand_on_mode(target, temporary, private)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


@contextmanager
def _sending(path: StoredPath, check: Callable[[Path], None] | None) -> Iterator[Path]:
    with TemporaryDirectory(prefix="facepipe-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        if check is not None:
            check(temporary)
        path.send(temporary)


def require_regular(path: Path) -> None:
    """Require a regular file or folder before opening it: opening a named pipe may block, and a device may have no end.

    Pipes created by a shell (``<(...)``) have a writer and are accepted.

    Raises:
        OSError: it does not exist, or is a named pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    if stat.S_ISFIFO(mode) and path.is_relative_to("/dev"):
        return
    raise OSError(errno.EINVAL, "a named pipe, a socket or a device, not a regular file", str(path))


def require_writable(path: Path) -> None:
    """Check, before long work, that `replacing` could write ``path`` and create its folder. Creates nothing.

    Raises:
        OSError: ``path`` is a folder, or cannot be written.
    """
    if isinstance(path, StoredPath):
        path.exists()  # raises if the store cannot be reached; whether it accepts files shows only on upload
        return
    folder = _target(path).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    with TemporaryFile(dir=folder):
        pass


def write_bytes(path: Path, data: bytes, private: bool = False) -> None:
    """Write ``data`` to ``path`` atomically, creating its folder."""
    with replacing(path, private) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str, private: bool = False) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically, creating its folder."""
    write_bytes(path, text.encode(), private)


def _ready(path: Path) -> Path:
    """The target of ``path`` with links resolved, after creating its folder."""
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _target(path: Path) -> Path:
    """The target of ``path`` with links resolved; refuses folders."""
    try:
        target = path.resolve()
    except RuntimeError as error:  # a link to itself, in Python 3.11 and 3.12
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; name a file to write", str(path))
    if target.exists():
        require_regular(target)
    return target


def _hand_on_mode(target: Path, temporary: Path, private: bool) -> None:
    try:
        before = target.stat()
    except FileNotFoundError:
        if not private:
            return
        temporary.chmod(0o600)
        return
    made = temporary.stat()
    if (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
        with suppress(OSError):  # only root may change a file's owner
            os.chown(temporary, before.st_uid, before.st_gid)
    # After the owner, since changing the owner clears mode bits.
    temporary.chmod(stat.S_IMODE(before.st_mode))


def _stem(target: Path) -> str:
    # File systems allow 255 bytes per name, and a character may take four.
    return f".{target.name[:48]}.{_machine()}-"


@cache
def _machine() -> str:
    """Distinguishes this machine's process IDs from those of others that share the folder."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=3).hexdigest()


@lru_cache(maxsize=4096)
def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of processes that have ended on this machine, since a killed one cannot remove its own.

    Each folder is checked once, at the first write into it.
    """
    pattern = re.compile(r"\..*\." + _machine() + r"-(\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match and not _runs(int(match[1])):
                Path(entry.path).unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
