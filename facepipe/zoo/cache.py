"""The folder of downloaded and imported weights, and of the cards a user adds."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import gettempdir

from facepipe.errors import ModelError
from facepipe.shipped import shipped
from facepipe.zoo.card import Card


def cache_folder() -> Path:
    """``$FACEPIPE_CACHE``, or the system's folder for a user's caches, or a temporary one for who has no home."""
    chosen = os.environ.get("FACEPIPE_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser()
        from platformdirs import user_cache_dir

        return Path(user_cache_dir("facepipe", appauthor=False)).expanduser()
    except RuntimeError:  # neither HOME nor an entry in the list of users, as in hardened containers
        return _homeless()


@cache
def _homeless() -> Path:
    folder = Path(gettempdir()) / f"facepipe-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    logging.getLogger("facepipe").warning(
        "this user has no home folder: models are kept in %s; FACEPIPE_CACHE names another", folder
    )
    return folder


def cached_weights(card: Card) -> Path:
    """Where the weights of a card are, or would be: with facepipe if they ship with it, otherwise in the cache."""
    name = f"{card.weights.sha256[:12]}-{PurePosixPath(card.weights.file).name}"
    shipped_file = shipped("models", "weights", name)
    return shipped_file if is_present(shipped_file) else cache_folder() / "weights" / name


def is_cached(card: Card) -> bool:
    """Whether the weights of a card are at hand."""
    return is_present(cached_weights(card))


def is_present(path: Path) -> bool:
    """Whether there is such a file; False also in a folder that may not be read."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def user_cards() -> Path:
    """Folder of the cards that were added by importing; it need not exist."""
    return cache_folder() / "cards"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 lower-case digits.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot read this file ({error.strerror})") from error


@contextmanager
def writing_to_cache() -> Iterator[None]:
    """Turn an operating-system error of the block into one line that names the cache.

    Raises:
        ModelError: the cache is read-only, full or no folder.
    """
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{cache_folder()}: cannot write to the model cache ({error.strerror or error}); "
            "set FACEPIPE_CACHE to a folder with room that you may write to"
        ) from error
