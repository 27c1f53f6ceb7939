"""Locating weight files and verifying their checksums."""

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
    """``$FACEPIPE_CACHE``, or the user's cache folder, or a temporary folder for users without a home.

    A home in which no cache folder exists or can be created (``/dev/null``, ``/nonexistent``) does not count.
    """
    chosen = os.environ.get("FACEPIPE_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser()
        from platformdirs import user_cache_dir

        folder = Path(user_cache_dir("facepipe", appauthor=False)).expanduser()
    except RuntimeError:  # neither HOME nor a passwd entry, as in hardened containers
        return _homeless()
    return folder if _can_be_made(folder) else _homeless()


def _can_be_made(folder: Path) -> bool:
    """Whether a folder exists or can be created in its nearest existing parent."""
    # Not Path.exists, which raises in unreadable folders.
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return nearest.is_dir() and (nearest == folder or os.access(nearest, os.W_OK | os.X_OK))


@cache
def _homeless() -> Path:
    folder = Path(gettempdir()) / f"facepipe-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    logging.getLogger("facepipe").warning(
        "this user has no writable home folder: using %s as the cache; set FACEPIPE_CACHE to change it", folder
    )
    return folder


def weights_path(sha256: str, file: str) -> Path:
    """Path of the weights with this SHA-256, existing or not: among the shipped files, otherwise in the cache."""
    name = f"{sha256[:12]}-{PurePosixPath(file).name}"
    shipped_file = shipped("models", "weights", name)
    return shipped_file if is_present(shipped_file) else cache_folder() / "weights" / name


def is_present(path: Path) -> bool:
    """Whether the file exists; False also in an unreadable folder."""
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
    """Path of a detector's verified weights, shipped or in the cache; the detector must have a card.

    Raises:
        ModelError: they are missing (the message says how to get them) or damaged.
    """
    weights = tomllib.loads(shipped("models", "detectors", f"{name}.toml").read_text(encoding="utf-8"))["weights"]
    path, url = weights_path(weights["sha256"], weights["file"]), weights.get("url")
    if not is_present(path):
        if url is None:
            raise ModelError(f"detector {name}: its shipped weights are missing; reinstall facepipe")
        raise ModelError(
            f"detector {name}: its weights are not in the cache; download them with 'facepipe models pull {name}', or "
            f"by hand: 'facepipe models import {name} FILE' with FILE from {url}"
        )
    got = sha256_of(path)
    if got != weights["sha256"]:
        remedy = "reinstall facepipe" if url is None else f"download it again with 'facepipe models pull {name}'"
        raise ModelError(
            f"{path}: damaged or replaced: its SHA-256 is {got}, the card of {name} says {weights['sha256']}; {remedy}"
        )
    return path
