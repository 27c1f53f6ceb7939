"""Files and folders in remote stores supported by fsspec (``s3://``, ``gs://``, ``hf://`` ...), in place of paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from facepipe.errors import FacepipeError, MissingExtraError
from facepipe.files.address_path import AddressPath

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hf"}
"""Scheme → the extra that installs its library."""

_OTHERS = ("http", "https", "file", "rtsp", "rtsps", "rtmp", "udp")
_BLOCK = 1 << 20


class StoreError(FacepipeError):
    """A store cannot be reached, or does not contain the requested file."""


def is_stored(text: str) -> bool:
    """Whether ``text`` is the address of a file or folder in a store; URLs of the web are not."""
    scheme, separator, rest = text.partition("://")
    return bool(separator and rest and scheme.isalnum()) and scheme.lower() not in _OTHERS


class StoredPath(AddressPath):
    """A file or folder in a store, by its address, such as ``s3://bucket/faces/a.tar``.

    Like a path it has a name, an extension, ``/``, `exists`, `is_dir`, `is_file`, `read_bytes` and `open` for reading.
    """

    def __new__(cls, address: str) -> "StoredPath":
        made = super().__new__(cls, address, _inside(address))
        assert isinstance(made, StoredPath)
        return made

    def __init__(self, address: str) -> None:
        super().__init__(address, _inside(address))

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPath, (self.address,)

    def __truediv__(self, name: str) -> "StoredPath":
        return StoredPath(f"{self.address.rstrip('/')}/{name}")

    def exists(self, **_: Any) -> bool:
        """Whether there is such a file, or a folder with files."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            return bool(files.exists(path))

    def is_dir(self, **_: Any) -> bool:
        """Whether there are files below it."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            return bool(files.isdir(path))

    def is_file(self, **_: Any) -> bool:
        """Whether it is a file."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            return bool(files.isfile(path))

    def size(self) -> int:
        """Bytes of the file."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            return int(files.size(path))

    def read_bytes(self) -> bytes:
        """The whole file."""
        return self.read_span(0, -1)

    def read_span(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, or all that follow if it is negative."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            part = {"start": offset or None, "end": None if size < 0 else offset + size}
            return bytes(files.cat_file(path, **part))

    def open(self, mode: str = "rb", buffering: int = -1, **_: Any) -> BinaryIO:
        """A readable, seekable stream; without buffering it fetches only the requested bytes."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            how = {"cache_type": "none"} if buffering == 0 else {"cache_type": "readahead", "block_size": _BLOCK}
            stream: BinaryIO = files.open(path, mode, **how)
            return stream

    def files(self) -> list[tuple["StoredPath", int]]:
        """The files below it with their sizes in bytes, sorted by name; including hidden ones."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            found = files.find(path, detail=True)
            return [(self._below(path, name), int(found[name].get("size") or 0)) for name in sorted(found)]

    def _below(self, path: str, name: str) -> "StoredPath":
        """The file called ``name`` in the store, in which this path is called ``path``."""
        below = name.removeprefix(path.rstrip("/")).lstrip("/")
        return self / below if below else self

    def send(self, file: Path) -> None:
        """Upload a local file to this address."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            files.makedirs(files._parent(path), exist_ok=True)
            files.put_file(str(file), path)

    def unlink(self, **_: Any) -> None:
        """Delete the file, if it exists."""
        with _readable_errors(self.address):
            files, path = _store(self.address)
            if files.exists(path):
                files.rm_file(path)


def as_path(given: "str | os.PathLike[str]") -> Path:
    """A local path, also for ``file://``, or a `StoredPath` for the address of a store."""
    if isinstance(given, AddressPath):
        return given
    text = os.fspath(given)
    if text.lower().startswith("file://"):
        from urllib.request import url2pathname  # it imports http.client

        return Path(url2pathname(urlsplit(text).path))
    return StoredPath(text) if is_stored(text) else Path(given)


def _inside(address: str) -> str:
    return str(PurePosixPath(address.partition("://")[2] or "."))


def _store(address: str) -> tuple[Any, str]:
    """The file system for the address, and the path in it."""
    from fsspec.core import url_to_fs

    files, path = url_to_fs(address)
    return files, str(path)


@contextmanager
def _readable_errors(address: str) -> Iterator[None]:
    """Turn the many kinds of exceptions of the stores' libraries into one line."""
    try:
        yield
    except ImportError as error:
        extra = EXTRAS.get(address.partition("://")[0].lower())
        if extra is None:
            raise StoreError(f"{address}: {str(error).splitlines()[0]}") from error
        raise MissingExtraError(f"{address}: its library is not installed: pip install 'facepipe[{extra}]'") from error
    except FileNotFoundError as error:
        raise StoreError(f"{address}: no such file; check the address") from error
    except FacepipeError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:160] or type(error).__name__
        raise StoreError(f"{address}: cannot be read or written ({reason})") from error
