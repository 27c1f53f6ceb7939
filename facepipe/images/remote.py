"""Photos that are not files: at a URL or on standard input. They are read when they are opened."""

import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from facepipe.errors import ImageError
from facepipe.files.address_path import AddressPath

if TYPE_CHECKING:
    from requests import Response

MAX_FETCHED = 100 << 20
"""Maximum size of a photo downloaded, or read from standard input, in bytes."""
STDIN = "<stdin>"

_TIMEOUT = (10, 20)  # seconds to connect, and between two pieces
_LONGEST = 60.0  # seconds in all
_PIECE = 1 << 16


class RemotePhoto(AddressPath):
    """Takes the place of a photo's path: named after the URL, and displayed as it.

    Args:
        address: ``http://…``, ``https://…``, or ``<stdin>``.
    """

    data: bytes | None = None

    def __new__(cls, address: str) -> "RemotePhoto":
        made = super().__new__(cls, address, _file_name(address))
        assert isinstance(made, RemotePhoto)
        return made

    def __init__(self, address: str) -> None:
        super().__init__(address, _file_name(address))

    def __str__(self) -> str:
        return _without_password(self.address) or super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        return RemotePhoto, (self.address,), {"data": self.data}

    def read(self) -> bytes:
        """The encoded photo; cached, since standard input can only be read once.

        Raises:
            ImageError: it cannot be downloaded, takes too long, or is too large.
        """
        if self.data is None:
            self.data = _read_stdin() if self.address == STDIN else _download(self.address)
        return self.data


def is_web_address(text: str) -> bool:
    """Whether ``text`` is a URL."""
    return text.lower().startswith(("http://", "https://"))


def _file_name(address: str) -> str:
    """A file path for this URL: host and path, without the query."""
    if address == STDIN:
        return "stdin"
    parts = urlsplit(address)
    return f"{parts.hostname or 'web'}/{unquote(parts.path).strip('/') or 'photo'}".replace("..", "_")


def _read_stdin() -> bytes:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        raise ImageError(f"{STDIN}: no data; use '-' after a pipe, such as 'cat a.jpg | facepipe ... -'")
    data: bytes = stream.read(MAX_FETCHED + 1)
    if len(data) > MAX_FETCHED:
        raise ImageError(f"{STDIN}: {_too_large()}")
    if not data:
        raise ImageError(f"{STDIN}: empty, 0 bytes were sent; look at what is before the pipe")
    return data


def _download(address: str) -> bytes:
    import requests

    until, name = time.monotonic() + _LONGEST, _without_password(address)
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT, headers={"User-Agent": "facepipe"}) as answer:
            if not answer.ok:
                raise ImageError(f"{name}: the server answered {answer.status_code} {answer.reason}; check it")
            return _body(answer, name, until)
    except (requests.RequestException, UnicodeError) as error:
        raise ImageError(f"{name}: cannot be downloaded ({_why(error)}); save the photo and pass the file") from error


def _body(answer: "Response", name: str, until: float) -> bytes:
    if int(answer.headers.get("Content-Length") or 0) > MAX_FETCHED:
        raise ImageError(f"{name}: {_too_large()}")
    data = bytearray()
    for piece in answer.iter_content(_PIECE):
        data += piece
        if len(data) > MAX_FETCHED:
            raise ImageError(f"{name}: {_too_large()}")
        if time.monotonic() > until:
            raise ImageError(f"{name}: took longer than {_LONGEST:.0f} s; save the photo and pass the file")
    return bytes(data)


def _without_password(address: str) -> str:
    if not is_web_address(address):
        return address
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _too_large() -> str:
    return f"larger than {MAX_FETCHED >> 20} MiB, too large for a photo; save it and scale it down first"


def _why(error: Exception) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
