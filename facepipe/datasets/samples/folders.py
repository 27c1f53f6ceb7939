"""A folder with one subfolder of images for each identity: ROOT/IDENTITY/*.jpg."""

import os
from pathlib import Path

import pyarrow as pa

from facepipe.datasets.samples.samples import Samples, from_names
from facepipe.errors import DatasetError, ImageError
from facepipe.images import EXTENSIONS, list_images


def open_folders(root: str | os.PathLike[str]) -> Samples:
    """Every folder directly under ``root`` is one identity; images may lie at any depth in it.

    A folder without images is left out, and so is an image that lies beside the folders; both are noted.

    Raises:
        DatasetError: ``root`` cannot be listed or holds no identity folder with images.
    """
    root = Path(root)
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(f"{root}: cannot be listed ({error.strerror}); check the path") from error
    names: list[str] = []
    files: list[str] = []
    empty: list[str] = []
    for entry in entries:
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        found = _images(Path(entry.path))
        names += [entry.name] * len(found)
        files += found
        if not found:
            empty.append(entry.name)
    if not files:
        raise DatasetError(f"{root}: no folder with images in it; it should hold one for each identity")
    table = pa.array([os.fsencode(name) for name in files], type=pa.large_binary())

    def path(index: int) -> Path:
        return Path(os.fsdecode(table[index].as_py()))

    strays = sum(not e.is_dir() and Path(e.name).suffix.lower() in EXTENSIONS for e in entries)
    return from_names(
        str(root), names, lambda i: path(i).read_bytes(), lambda i: str(path(i)), _notes(root, empty, strays)
    )


def _images(folder: Path) -> list[str]:
    try:
        return [str(path) for path in list_images(folder)]
    except ImageError as error:
        raise DatasetError(str(error)) from error


def _notes(root: Path, empty: list[str], strays: int) -> tuple[str, ...]:
    notes = []
    if empty:
        notes.append(f"{root}: {len(empty)} identity folder(s) without an image left out, such as {empty[0]}")
    if strays:
        notes.append(f"{root}: {strays} image(s) that lie in no identity folder left out")
    return tuple(notes)
