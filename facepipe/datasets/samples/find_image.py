"""Find the files of images named in a list, whatever their extension and its case."""

from collections.abc import Sequence
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.images import EXTENSIONS
from facepipe.tables import counted

_USUAL = (".jpg", ".png", ".webp", ".jpeg")
_HOLDER = "PATH must hold the images named in the list"
_MOST_FOLDERS = 50
_Listings = dict[Path, dict[str, Path]]


def find_image(folder: Path, name: str, holder: str = _HOLDER) -> Path:
    """The image ``name`` below ``folder``, with any extension.

    Args:
        folder: folder of the data set.
        name: path without extension.
        holder: hint about the folder for the error message.

    Raises:
        DatasetError: the image does not exist.
    """
    return require_images(folder, [name], holder)[0]


def require_images(folder: Path, names: Sequence[str], holder: str = _HOLDER) -> list[Path]:
    """As `find_images`, but all images must exist.

    Raises:
        DatasetError: an image is missing; gives their number.
    """
    files, missing = find_images(folder, names, holder)
    if missing:
        message = f"{len(missing)} of the {counted(len(names), 'image')} of the list not found"
        raise DatasetError(f"{folder / missing[0]}.*: no such image ({message}); {holder}")
    return files


def find_images(folder: Path, names: Sequence[str], holder: str = _HOLDER) -> tuple[list[Path], list[str]]:
    """The images named in a list, in order, and the names of missing ones.

    The images may be in a subfolder of ``folder``, up to two levels down, as archives often unpack.

    Args:
        folder: folder of the data set.
        names: paths without extension.
        holder: hint about the folder for the error message.

    Raises:
        DatasetError: all images are missing; gives a path that was tried.
    """
    listings: _Listings = {}
    root = _image_root(folder, names, listings)
    found = [(name, _find(root, name, listings)) for name in names]
    files = [file for _, file in found if file is not None]
    if names and not files:
        tried = f"{root / names[0]}.*"
        raise DatasetError(f"{tried}: no such image, nor any other of the {len(names)} of the list; {holder}")
    return files, [name for name, file in found if file is None]


def as_written(path: Path) -> Path:
    """The existing file that differs from ``path`` only in the case of its extension; else ``path``."""
    if path.exists():
        return path
    twins = (path.with_suffix(suffix) for suffix in (path.suffix.lower(), path.suffix.upper()) if path.name)
    return next((twin for twin in twins if twin.exists()), path)


def _image_root(folder: Path, names: Sequence[str], listings: _Listings) -> Path:
    """The folder that the first image is relative to.

    Raises:
        DatasetError: several folders hold it.
    """
    first = names[:1]
    if not first or _find(folder, first[0], listings) is not None:
        return folder
    for level in (_folders(folder), [inner for outer in _folders(folder) for inner in _folders(outer)]):
        holding = [candidate for candidate in level if _find(candidate, first[0], listings) is not None]
        if len(holding) > 1:
            raise DatasetError(f"{folder}: {first[0]} is in {holding[0].name} and in {holding[1].name}; name one")
        if holding:
            return holding[0]
    return folder


def _folders(folder: Path) -> list[Path]:
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
    # A folder per person contains no further data set.
    return inside if len(inside) <= _MOST_FOLDERS else []


def _find(folder: Path, name: str, listings: _Listings) -> Path | None:
    for suffix in _USUAL:
        file = folder / f"{name}{suffix}"
        if file.is_file():
            return file
    file = folder / name
    if file.parent not in listings:
        listings[file.parent] = _images_of(file.parent)
    return listings[file.parent].get(file.name)


def _images_of(folder: Path) -> dict[str, Path]:
    """Stem → image of a folder, with any extension in any case."""
    try:
        return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS}
    except OSError:
        return {}
