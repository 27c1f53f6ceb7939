"""Which images there are, fixed once, so that an interrupted job goes on with the same list."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.files import replacing
from facepipe.images import list_images


def scan(root: Path, out: Path, listing: Path) -> int:
    """Write the list of images under ``root`` to ``listing``, one JSON line [path, crop name] each.

    The crop name is the path without its extension; images that differ by extension only keep theirs in the
    crop name, so that no crop overwrites another. Images under ``out`` are left aside.

    Returns:
        The number of images.

    Raises:
        DatasetError: there are none.
    """
    count = 0
    inside = out.resolve()
    with replacing(listing) as temporary, temporary.open("w", encoding="ascii") as file:
        for folder, group in groupby(list_images(root), key=lambda path: path.parent):
            if folder.resolve().is_relative_to(inside):
                continue
            paths = list(group)
            stems = Counter(path.stem.casefold() for path in paths)
            for path in paths:
                relative = path.relative_to(root) if root.is_dir() else Path(path.name)
                crop = relative.with_suffix("") if stems[path.stem.casefold()] == 1 else relative
                file.write(json.dumps([str(relative), str(crop)]) + "\n")
            count += len(paths)
        if count == 0:
            raise DatasetError(f"{root}: no images in it; the layout is dataset/identity/image.jpg")
    return count


def units(listing: Path, size: int) -> Iterator[list[tuple[str, str]]]:
    """The listed images in lists of ``size``: [(path, crop name), ...]."""
    with listing.open(encoding="ascii") as file:
        while lines := list(islice(file, size)):
            yield [(path, crop) for path, crop in map(json.loads, lines)]


def length(listing: Path) -> int:
    """How many images are listed."""
    with listing.open("rb") as file:
        return sum(1 for _ in file)
