"""The file of an image that a list names without its extension."""

from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.images import EXTENSIONS

_USUAL = (".jpg", ".png", ".webp", ".jpeg")


def find_image(folder: Path, name: str, holder: str = "PATH must hold the images that the list names") -> Path:
    """The image called ``name`` below ``folder``, with whichever extension it has.

    Args:
        folder: of the dataset.
        name: path without extension.
        holder: what to say of the folder in the error.

    Raises:
        DatasetError: there is none.
    """
    for suffix in (*_USUAL, *sorted(EXTENSIONS)):
        file = folder / f"{name}{suffix}"
        if file.is_file():
            return file
    raise DatasetError(f"{folder / name}.jpg: no such image; {holder}")
