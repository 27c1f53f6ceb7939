"""The file of an image that a list names, whatever its extension and whichever letters that is in."""

from collections.abc import Sequence
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.images import EXTENSIONS

_USUAL = (".jpg", ".png", ".webp", ".jpeg")
_HOLDER = "PATH must hold the images that the list names"
_MOST_FOLDERS = 50
_Listings = dict[Path, dict[str, Path]]


def find_image(folder: Path, name: str, holder: str = _HOLDER) -> Path:
    """The image called ``name`` below ``folder``, with whichever extension it has.

    Args:
        folder: of the dataset.
        name: path without extension.
        holder: what to say of the folder in the error.

    Raises:
        DatasetError: there is none.
    """
    return require_images(folder, [name], holder)[0]


def require_images(folder: Path, names: Sequence[str], holder: str = _HOLDER) -> list[Path]:
    """`find_images`, all of them.

    Raises:
        DatasetError: one is not there; says how many are not.
    """
    files, missing = find_images(folder, names, holder)
    if missing:
        message = f"{len(missing)} of the {len(names)} images of the list are not there"
        raise DatasetError(f"{folder / missing[0]}.jpg: no such image ({message}); {holder}")
    return files


def find_images(folder: Path, names: Sequence[str], holder: str = _HOLDER) -> tuple[list[Path], list[str]]:
    """The images that a list names, in its order, and the names of those that are not there.

    The images may lie in a folder of ``folder``, or one further down, as archives unpack: then that is where they are
    looked for.

    Args:
        folder: of the dataset.
        names: paths without extension.
        holder: what to say of the folder in the error.

    Raises:
        DatasetError: none of the images is there; says which path was tried.
    """
    listings: _Listings = {}
    place = _holding(folder, names, listings)
    found = [(name, _find(place, name, listings)) for name in names]
    files = [file for _, file in found if file is not None]
    if names and not files:
        tried = f"{place / names[0]}.jpg"
        raise DatasetError(f"{tried}: no such image, nor any other of the {len(names)} of the list; {holder}")
    return files, [name for name, file in found if file is None]


def as_written(path: Path) -> Path:
    """The file as it is written on the disk where only the letters of its extension are other ones; else ``path``."""
    if path.exists():
        return path
    twins = (path.with_suffix(suffix) for suffix in (path.suffix.lower(), path.suffix.upper()) if path.name)
    return next((twin for twin in twins if twin.exists()), path)


def _holding(folder: Path, names: Sequence[str], listings: _Listings) -> Path:
    """The folder in which the first of the images lies.

    Raises:
        DatasetError: several folders hold it.
    """
    first = names[:1]
    if not first or _find(folder, first[0], listings) is not None:
        return folder
    for places in (_folders(folder), [inner for outer in _folders(folder) for inner in _folders(outer)]):
        holding = [place for place in places if _find(place, first[0], listings) is not None]
        if len(holding) > 1:
            raise DatasetError(f"{folder}: {first[0]} lies in {holding[0].name} and in {holding[1].name}; name one")
        if holding:
            return holding[0]
    return folder


def _folders(folder: Path) -> list[Path]:
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
    # A folder for each person holds no other data set.
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
    """Stem → image of a folder, whatever its extension and whichever letters that is in."""
    try:
        return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS}
    except OSError:
        return {}
