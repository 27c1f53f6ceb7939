"""Writing a file whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` when the block ends well.

    When the block raises, the temporary file is removed and what stood at ``path`` stays as it was.

    Raises:
        OSError: ``path`` is a folder, or cannot be written.
    """
    _ready(path)
    # File systems allow 255 bytes of name, and a character may take four of them.
    temporary = path.with_name(f".{path.name[:48]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_writable(path: Path) -> None:
    """What must be asked before long work: that `replacing` could write ``path``. Makes its folder, nothing else.

    Raises:
        OSError: ``path`` is a folder, or cannot be written.
    """
    _ready(path)
    with TemporaryFile(dir=path.parent):
        pass


def _ready(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; name a file to write", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically, making its folder."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically, making its folder."""
    write_bytes(path, text.encode())
