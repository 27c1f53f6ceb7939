"""Fetching a card's weights: continued where it broke off, checked, and in the cache only when right."""

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
_CHUNK = 1 << 14  # the most that a broken connection loses of what was received
_TRIES = 3


class _BrokenOffError(Exception):
    """The connection ended before the file did; the next try goes on from there."""


def pull(card: AnyCard, progress: Received | None = None) -> Path:
    """Download a model's weights into the cache, unless they are there already.

    What an interrupted download left is kept and continued, now or in a later call. A file with another
    SHA-256 than the card's is removed.

    Args:
        card: of the model.
        progress: called with the bytes received and the total (None if the server does not say).

    Returns:
        Path of the file in the cache.

    Raises:
        ModelError: no URL, no network, an HTTP error, a wrong file, or a cache that cannot be written; where
            the download is at fault, the message says how to import a file fetched by other means.
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
    with handle, _alone(handle, part):
        # Another process may have finished the file while this one was waiting to open it.
        got = card.weights.sha256 if is_cached(card) else _fetch(card, handle, part, progress)
    with writing_to_cache():
        if got == card.weights.sha256 and not is_cached(card):
            part.replace(path)
        part.unlink(missing_ok=True)
    if got != card.weights.sha256:
        raise ModelError(
            f"{card.weights.url}: wrong file, not kept: SHA-256 must be {card.weights.sha256}, got {got}; it "
            f"has changed there, or something on the way altered it; by hand: {by_hand(card)}"
        )
    return path


def by_hand(card: AnyCard) -> str:
    """The command that imports a file which was fetched by other means."""
    url = f" with FILE from {card.weights.url}" if card.weights.url else ""
    return f"'facepipe models import {card.name} FILE'{url}"


def _fetch(card: AnyCard, handle: IO[bytes], part: Path, progress: Received | None) -> str:
    """Bring the part file to the length the server says; its SHA-256."""
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
        # The beginning may be of another file that was once at this URL: again from the start.
        reason = "what an earlier download left did not fit"
        _empty(handle)
    raise ModelError(
        f"{card.weights.url}: the download broke off after {handle.tell()} bytes ({reason}); pull again to "
        f"continue, or by hand: {by_hand(card)}"
    )


def _receive(card: AnyCard, handle: IO[bytes], progress: Received | None) -> bool:
    """One request, appended to ``handle``; whether it continued what was there."""
    from requests import RequestException, get

    start = handle.tell()
    # A server that compresses on the fly counts other bytes than the file has.
    headers = {"Accept-Encoding": "identity", "User-Agent": "facepipe"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = get(card.weights.url, headers=headers, stream=True, timeout=_TIMEOUT)
    except RequestException as error:
        raise ModelError(
            f"{card.weights.url}: cannot be reached ({_short(error)}); without a network: {by_hand(card)}"
        ) from error
    with response:
        if start and response.status_code == 416:
            return True  # the part is as long as the file, or longer: its SHA-256 decides
        continued = _continues(response, start)
        if not continued and response.status_code != 200:
            raise ModelError(
                f"{card.weights.url}: the server answered {response.status_code} {response.reason}; "
                f"by hand: {by_hand(card)}"
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
    given = response.headers.get("Content-Range", "")
    return start > 0 and response.status_code == 206 and given.startswith(f"bytes {start}-")


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
    """The innermost reason of a nested network error, on one line."""
    seen: BaseException = error
    while inner := (seen.__cause__ or seen.__context__):
        seen = inner
    return " ".join((str(seen) or type(seen).__name__).split())[:200]


@contextmanager
def _alone(handle: IO[bytes], part: Path) -> Iterator[None]:
    """Hold the part file for this process; the lock goes with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two downloads at once end in a wrong SHA-256, not in a wrong model
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelError(f"{part}: another process is downloading this file; wait for it to end") from error
    except OSError:  # a file system without locks
        pass
    yield
