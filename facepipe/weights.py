"""Where files of weights are, and whether they are the right ones."""

import hashlib
import logging
import os
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import gettempdir

from facepipe.errors import ModelError
from facepipe.files import require_regular
from facepipe.shipped import shipped


def cache_folder() -> Path:
    """``$FACEPIPE_CACHE``, or the system's folder for a user's caches, or a temporary one for who has no home.

    A home in which no such folder is and none can be made (``/dev/null``, ``/nonexistent``) is none.
    """
    chosen = os.environ.get("FACEPIPE_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser()
        from platformdirs import user_cache_dir

        folder = Path(user_cache_dir("facepipe", appauthor=False)).expanduser()
    except RuntimeError:  # neither HOME nor an entry in the list of users, as in hardened containers
        return _homeless()
    return folder if _can_be_made(folder) else _homeless()


def _can_be_made(folder: Path) -> bool:
    """Whether a folder is there, or the nearest one above it that is takes new ones."""
    # Not Path.exists, which raises in folders that may not be read.
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return nearest.is_dir() and (nearest == folder or os.access(nearest, os.W_OK | os.X_OK))


@cache
def _homeless() -> Path:
    folder = Path(gettempdir()) / f"facepipe-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    logging.getLogger("facepipe").warning(
        "this user has no home folder that can be written: the cache is in %s; FACEPIPE_CACHE names another", folder
    )
    return folder


def weights_path(sha256: str, file: str) -> Path:
    """Where weights of this SHA-256 are, or would be: with facepipe if they ship with it, otherwise in the cache."""
    name = f"{sha256[:12]}-{PurePosixPath(file).name}"
    shipped_file = shipped("models", "weights", name)
    return shipped_file if is_present(shipped_file) else cache_folder() / "weights" / name


def is_present(path: Path) -> bool:
    """Whether there is such a file; False also in a folder that may not be read."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 lower-case digits.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        require_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot read this file ({error.strerror})") from error


def detector_weights(name: str) -> Path:
    """The weights of a detector that has a card, whole: they ship with facepipe or are in the cache.

    Raises:
        ModelError: they are not at hand (the message says how to get them), or damaged.
    """
    weights = tomllib.loads(shipped("models", "detectors", f"{name}.toml").read_text(encoding="utf-8"))["weights"]
    path, url = weights_path(weights["sha256"], weights["file"]), weights.get("url")
    if not is_present(path):
        if url is None:
            raise ModelError(f"detector {name}: its weights ship with facepipe and are missing; reinstall facepipe")
        raise ModelError(
            f"detector {name}: its weights are not in the cache; fetch them with 'facepipe models pull {name}', or by "
            f"hand: 'facepipe models import {name} FILE' with FILE from {url}"
        )
    got = sha256_of(path)
    if got != weights["sha256"]:
        mend = "reinstall facepipe" if url is None else f"fetch it again with 'facepipe models pull {name}'"
        raise ModelError(
            f"{path}: damaged or exchanged: its SHA-256 is {got}, the card of {name} says {weights['sha256']}; {mend}"
        )
    return path
