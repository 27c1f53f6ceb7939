"""Download a card's weights: resumed after interruptions, and moved to the cache only after verification."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from facepipe.errors import ModelError
from facepipe.weights import sha256_of
from facepipe.zoo.cache import cached_weights, is_cached, writing_to_cache
from facepipe.zoo.card import AnyCard

if TYPE_CHECKING:
    from requests import Response

Received = Callable[[int, int | None], None]

_TIMEOUT = (10, 30)  # seconds to connect, and between two chunks
_CHUNK = 1 << 14  # at most this much received data is lost when a connection breaks
_TRIES = 3


class _BrokenOffError(Exception):
    """The connection broke before the end of the file; the next attempt resumes."""


def pull(card: AnyCard, progress: Received | None = None) -> Path:
    """Download a model's weights into the cache, unless they are already there.

    A partial download is kept and resumed, now or in a later call. A file whose SHA-256 differs from the card's is
    removed.

    Args:
        card: card of the model.
        progress: called with the bytes received and the total (None if unknown).

    Returns:
        Path of the file in the cache.

    Raises:
        ModelError: no URL, one without TLS (except on this machine), no network, an HTTP error, a wrong file, or a
            cache that is not writable; if the download fails, the message says how to import a file obtained otherwise.
    """
    path = cached_weights(card)
    if is_cached(card):
        if sha256_of(path) == card.weights.sha256:
            return path
        with writing_to_cache():
            path.unlink()
    if not card.weights.url:
        raise ModelError(f"the card of {card.name} has no URL; if you have the file: {by_hand(card)}")
    part = path.with_name(f"{path.name}.part")
    with writing_to_cache():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = part.open("ab")
    with handle, _locked(handle, part):
        # Another process may have completed the download before this one opened the file.
        got = card.weights.sha256 if is_cached(card) else _download(card, handle, part, progress)
    with writing_to_cache():
        if got == card.weights.sha256 and not is_cached(card):
            part.replace(path)
        part.unlink(missing_ok=True)
    if got != card.weights.sha256:
        raise ModelError(
            f"{card.weights.url}: wrong file, deleted: SHA-256 must be {card.weights.sha256}, got {got}; it has "
            f"changed on the server or in transit; manually: {by_hand(card)}"
        )
    return path


def by_hand(card: AnyCard) -> str:
    """The command that imports a manually downloaded file."""
    url = f" with FILE from {card.weights.url}" if card.weights.url else ""
    return f"'facepipe models import {card.name} FILE'{url}"


def _download(card: AnyCard, handle: IO[bytes], part: Path, progress: Received | None) -> str:
    """Complete the part file; returns its SHA-256."""
    reason = ""
    for _ in range(_TRIES):
        try:
            continued = _receive(card, handle, progress)
        except _BrokenOffError as error:
            reason = str(error)
            continue
        with writing_to_cache():
            handle.flush()
        got = sha256_of(part)
        if got == card.weights.sha256 or not continued:
            return got
        # The partial download may be of an older file at this URL: start again.
        reason = "the earlier partial download did not match"
        _empty(handle)
    raise ModelError(
        f"{card.weights.url}: the download stopped after {handle.tell()} bytes ({reason}); pull again to "
        f"resume, or manually: {by_hand(card)}"
    )


def _receive(card: AnyCard, handle: IO[bytes], progress: Received | None) -> bool:
    """Append the response of one request to ``handle``; returns whether it resumed the download."""
    from requests import RequestException

    from facepipe.zoo.secure_session import secure_session

    start = handle.tell()
    # With compression on the fly, the byte counts would not be those of the file.
    headers = {"Accept-Encoding": "identity", "User-Agent": "facepipe"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = secure_session().get(card.weights.url, headers=headers, stream=True, timeout=_TIMEOUT)
    except RequestException as error:
        raise ModelError(
            f"{card.weights.url}: cannot be reached ({_short(error)}); without network access: {by_hand(card)}"
        ) from error
    with response:
        if start and response.status_code == 416:
            return True  # the part is at least as long as the file: its SHA-256 decides
        continued = _continues(response, start)
        if not continued and response.status_code != 200:
            raise ModelError(
                f"{card.weights.url}: the server answered {response.status_code} {response.reason}; "
                f"manually: {by_hand(card)}"
            )
        if not continued:
            _empty(handle)
        total = _total(response, handle.tell())
        try:
            for chunk in response.iter_content(_CHUNK):
                _append(handle, chunk)
                if progress:
                    progress(handle.tell(), total)
        except RequestException as error:
            raise _BrokenOffError(_short(error)) from error
    if total is not None and handle.tell() < total:
        raise _BrokenOffError(f"of {total}")
    return continued


def _continues(response: "Response", start: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return start > 0 and response.status_code == 206 and content_range.startswith(f"bytes {start}-")


def _total(response: "Response", start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    if "Content-Encoding" in response.headers or not length.isdecimal():
        return None
    return start + int(length)


def _append(handle: IO[bytes], chunk: bytes) -> None:
    with writing_to_cache():
        handle.write(chunk)


def _empty(handle: IO[bytes]) -> None:
    with writing_to_cache():
        handle.truncate(0)
        handle.seek(0)


def _short(error: Exception) -> str:
    """The innermost cause of a nested network error, on one line."""
    cause: BaseException = error
    while inner := (cause.__cause__ or cause.__context__):
        cause = inner
    return " ".join((str(cause) or type(cause).__name__).split())[:200]


@contextmanager
def _locked(handle: IO[bytes], part: Path) -> Iterator[None]:
    """Lock the part file for this process; the lock is released however the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: concurrent downloads result in a wrong SHA-256, not in a wrong model
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelError(f"{part}: another process is downloading this file; wait for it to finish") from error
    except OSError:  # a file system without locks
        pass
    yield
