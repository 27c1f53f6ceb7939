"""Galleries as files: embeddings files (Parquet) whose paths are ``person/image``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from facepipe.embedding import load_embeddings, save_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.files import locked
from facepipe.identification.gallery import Gallery


def save_gallery(path: Path, gallery: Gallery) -> None:
    """Write the whole file anew, atomically: what is not in ``gallery`` is not in the file afterwards.

    Images that gave no face are not kept, not even by name. A new file may be read by its owner alone; one that is
    replaced keeps its mode, and a link stays a link.
    """
    save_embeddings(path, replace(gallery.images, failed=()), private=True)


def change_gallery(
    path: Path, change: Callable[[Gallery], Gallery], waiting: Callable[[str], None] = lambda _: None
) -> Gallery:
    """Read, change and write a gallery while no other process does so; returns what was written.

    Args:
        path: of the gallery.
        change: is given what the file holds now, and returns what it shall hold.
        waiting: is told once when another process has kept the file for a while.

    Raises:
        EmbeddingsError: as `load_gallery`, or what ``change`` raises; then the file stays as it was.
    """
    if not path.is_file():
        load_gallery(path)  # says what it is instead
    with locked(path, waiting):
        changed = change(load_gallery(path))
        save_gallery(path, changed)
    return changed


def load_gallery(path: Path) -> Gallery:
    """Read a gallery, or any embeddings file with a folder per person.

    Raises:
        EmbeddingsError: missing, damaged, or a path in it has no folder.
    """
    if path.is_dir():
        raise EmbeddingsError(f"{path}: a folder of images; make a gallery with 'facepipe gallery build {path} OUT'")
    if not path.exists():
        raise EmbeddingsError(f"{path}: no such file; make a gallery with 'facepipe gallery build DIR {path}'")
    try:
        return Gallery(load_embeddings(path))
    except EmbeddingsError as error:
        raise error if str(error).startswith(f"{path}: ") else EmbeddingsError(f"{path}: {error}") from error

