"""Which images there are, with the size and time of each, so that a job goes on with the same list or sees changes."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.files import Mark, PassedOver, mark_file, replacing
from facepipe.images import list_images

_UNKNOWN = Mark(-1, -1)


@dataclass(frozen=True)
class Listed:
    """An image of the list.

    Attributes:
        path: relative to the raw folder.
        crop: name of its crop, relative to the output folder, without extension.
        mark: its size and time when it was listed; of negative size where an older version made the list.
    """

    path: str
    crop: str
    mark: Mark


def scan(root: Path, out: Path, listing: Path, passed: PassedOver | None = None) -> int:
    """Write the list of images under ``root`` to ``listing``, one JSON line [path, crop, size, mtime] each.

    The crop name is the path without its extension; where two would have the same, the extension stays in the
    crop name, so that no crop overwrites another. Images under ``out`` are left aside.

    Args:
        root: the raw images.
        out: where the crops go.
        listing: file to write.
        passed: counts what is left out.

    Returns:
        The number of images.

    Raises:
        DatasetError: there are none.
    """
    count = 0
    inside = out.resolve()
    passed = PassedOver() if passed is None else passed
    with replacing(listing) as temporary, temporary.open("w", encoding="ascii") as file:
        for folder, group in groupby(list_images(root, passed=passed), key=lambda path: path.parent):
            if folder.resolve().is_relative_to(inside):
                continue
            paths = list(group)
            for path, name in zip(paths, crop_names(paths), strict=True):
                relative = path.relative_to(root) if root.is_dir() else Path(path.name)
                mark = mark_file(path)
                crop = str(relative.with_name(name))
                file.write(json.dumps([str(relative), crop, mark.size, mark.mtime]) + "\n")
            count += len(paths)
        if count == 0:
            instead = f" ({passed.line()})" if passed else ""
            raise DatasetError(f"{root}: no images in it{instead}; the layout is dataset/identity/image.jpg")
    return count


def crop_names(paths: Sequence[Path]) -> list[str]:
    """A name for the crop of each file of one folder: without the extension where that tells them apart."""
    names = [path.stem for path in paths]
    while True:
        counts = Counter(name.casefold() for name in names)
        twice = [n for n, path in enumerate(paths) if counts[names[n].casefold()] > 1 and names[n] != path.name]
        if not twice:
            return names
        for number in twice:
            names[number] = paths[number].name


def read_listing(listing: Path) -> Iterator[Listed]:
    """The listed images in order."""
    with listing.open(encoding="ascii") as file:
        for line in file:
            path, crop, *mark = json.loads(line)
            yield Listed(path, crop, Mark(*mark) if mark else _UNKNOWN)


def units(listing: Path, size: int) -> Iterator[list[Listed]]:
    """The listed images in lists of ``size``."""
    images = read_listing(listing)
    while unit := list(islice(images, size)):
        yield unit


def length(listing: Path) -> int:
    """How many images are listed."""
    with listing.open("rb") as file:
        return sum(1 for _ in file)
