"""A folder with one subfolder of images per identity: ROOT/IDENTITY/*.jpg."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from facepipe.datasets.samples.path_table import PathTable
from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError, ImageError
from facepipe.files import SYSTEM_FOLDERS, Layout, PassedOver, person_of_folder
from facepipe.images import list_images, read_encoded
from facepipe.tables import counted


def open_folders(root: str | os.PathLike[str], identity_depth: int = 1) -> Samples:
    """Every folder directly under ``root`` is one identity, with images at any depth.

    With an ``identity_depth`` of 2 the folders one level below are the identities, merged by name, and so on.

    Folders without images, images outside of identity folders and skipped entries (system folders, special files, files
    reached twice, videos ...) are left out and noted.

    Raises:
        DatasetError: ``root`` cannot be listed or has no identity folder with images.
    """
    root = Path(root)
    passed = PassedOver()
    names: list[str] = []
    known: dict[str, str] = {}
    outside = 0
    layout = Layout(identity_depth)

    def labelled() -> Iterator[str]:
        nonlocal outside
        for path in list_images(root, passed=passed):
            owner = layout.identity(path.relative_to(root))
            if owner:
                names.append(known.setdefault(owner, owner))  # one string object per identity
                yield str(path)
            else:
                outside += 1

    try:
        files = PathTable(labelled())
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not len(files):
        depth = "" if identity_depth == 1 else f" at depth {identity_depth}"
        raise DatasetError(f"{root}: has no folder with images{depth}; it should have one per identity")
    empty = _empty(root, set(names)) if identity_depth == 1 else []
    notes = _notes(root, empty, outside, passed)
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
    """Identity folders without images."""
    known = set(with_images)
    return sorted(
        entry.name
        for entry in root.iterdir()
        if person_of_folder(entry.name) not in known
        and not entry.name.startswith(".")
        and entry.name.casefold() not in SYSTEM_FOLDERS
        and entry.is_dir()
    )


def _notes(root: Path, empty: list[str], outside: int, passed: PassedOver) -> tuple[str, ...]:
    notes = []
    if empty:
        notes.append(f"{root}: {counted(len(empty), 'identity folder without images')} left out, such as {empty[0]}")
    if outside:
        notes.append(f"{root}: {counted(outside, 'image')} outside of identity folders left out")
    if passed:
        notes.append(f"{root}: {passed.line()}")
    return tuple(notes)
