"""A folder with one subfolder of images for each identity: ROOT/IDENTITY/*.jpg."""

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError, ImageError
from facepipe.files import SYSTEM_FOLDERS, PassedOver
from facepipe.images import list_images, read_encoded


def open_folders(root: str | os.PathLike[str]) -> Samples:
    """Every folder directly under ``root`` is one identity; images may lie at any depth in it.

    A folder without images is left out, and so are an image that lies beside the folders and what the walk passes
    over (system folders, special files, files reached twice, videos ...); all of it is noted.

    Raises:
        DatasetError: ``root`` cannot be listed or holds no identity folder with images.
    """
    root = Path(root)
    passed = PassedOver()
    names: list[str] = []
    files: list[str] = []
    strays = 0
    try:
        for path in list_images(root, passed=passed):
            owner = path.relative_to(root).parts[:-1]
            if owner:
                names.append(owner[0])
                files.append(str(path))
            else:
                strays += 1
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not files:
        raise DatasetError(f"{root}: no folder with images in it; it should hold one for each identity")
    table = pa.array([os.fsencode(name) for name in files], type=pa.large_binary())

    def path_of(index: int) -> Path:
        return Path(os.fsdecode(table[index].as_py()))

    notes = _notes(root, _empty(root, set(names)), strays, passed)
    return from_names(
        str(root),
        names,
        lambda i: read_encoded(path_of(i)),
        lambda i: str(path_of(i)),
        notes,
        lambda i: size_of(path_of(i)),
    )


def _empty(root: Path, with_images: Iterable[str]) -> list[str]:
    """Identity folders that gave no image."""
    known = set(with_images)
    return sorted(
        entry.name
        for entry in root.iterdir()
        if entry.name not in known
        and not entry.name.startswith(".")
        and entry.name.casefold() not in SYSTEM_FOLDERS
        and entry.is_dir()
    )


def _notes(root: Path, empty: list[str], strays: int, passed: PassedOver) -> tuple[str, ...]:
    notes = []
    if empty:
        notes.append(f"{root}: {len(empty)} identity folder(s) without an image left out, such as {empty[0]}")
    if strays:
        notes.append(f"{root}: {strays} image(s) that lie in no identity folder left out")
    if passed:
        notes.append(f"{root}: {passed.line()}")
    return tuple(notes)
