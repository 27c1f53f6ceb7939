"""A folder with one subfolder of images for each identity: ROOT/IDENTITY/*.jpg."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from facepipe.datasets.samples.path_table import PathTable
from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError, ImageError
from facepipe.files import SYSTEM_FOLDERS, Layout, PassedOver
from facepipe.images import list_images, read_encoded


def open_folders(root: str | os.PathLike[str], identity_depth: int = 1) -> Samples:
    """Every folder directly under ``root`` is one identity; images may lie at any depth in it.

    With an ``identity_depth`` of 2 the folders below those are the identities, those of one name being one; and so on.

    A folder without images is left out, and so are an image that lies beside the folders and what the walk passes
    over (system folders, special files, files reached twice, videos ...); all of it is noted.

    Raises:
        DatasetError: ``root`` cannot be listed or holds no identity folder with images.
    """
    root = Path(root)
    passed = PassedOver()
    names: list[str] = []
    known: dict[str, str] = {}
    strays = 0
    layout = Layout(identity_depth)

    def labelled() -> Iterator[str]:
        nonlocal strays
        for path in list_images(root, passed=passed):
            owner = layout.identity(path.relative_to(root))
            if owner:
                names.append(known.setdefault(owner, owner))  # one object for all images of a person
                yield str(path)
            else:
                strays += 1

    try:
        files = PathTable(labelled())
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not len(files):
        deep = "" if identity_depth == 1 else f" {identity_depth} deep"
        raise DatasetError(f"{root}: no folder with images{deep} in it; it should hold one for each identity")
    empty = _empty(root, set(names)) if identity_depth == 1 else []
    notes = _notes(root, empty, strays, passed)
    remark = layout.remark()
    notes += (f"{root}: {remark}",) if remark else ()
    return from_names(
        str(root),
        names,
        lambda i: read_encoded(files[i]),
        lambda i: str(files[i]),
        notes,
        lambda i: size_of(files[i]),
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
