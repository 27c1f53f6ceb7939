"""Galleries as files: embeddings files (Parquet) whose paths are ``person/image``."""

from dataclasses import replace
from pathlib import Path

from facepipe.embedding import load_embeddings, save_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.identification.gallery import Gallery


def save_gallery(path: Path, gallery: Gallery) -> None:
    """Write the whole file anew, atomically: what is not in ``gallery`` is not in the file afterwards.

    Images that gave no face are not kept, not even by name.
    """
    save_embeddings(path, replace(gallery.images, failed=()))


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

