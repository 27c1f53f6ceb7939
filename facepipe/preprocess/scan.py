"""Which images there are, with the size and time of each, so that a job goes on with the same list or sees changes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import groupby, islice
from pathlib import Path

from facepipe.datasets.photos import list_collection
from facepipe.datasets.photos.parquet_rows import PhotoRow
from facepipe.errors import DatasetError
from facepipe.files import Mark, PassedOver, mark_file, replacing
from facepipe.images import Place, StoredPhoto, each_page, file_of, is_collection, list_images

_UNKNOWN = Mark(-1, -1)


@dataclass(frozen=True, slots=True)
class Listed:
    """An image of the list.

    Attributes:
        path: relative to the raw folder.
        crop: name of its crop, relative to the output folder, without extension.
        mark: its size and time when it was listed; of negative size where an older version made the list.
        place: where its bytes lie, of a photo that is no file of its own.
    """

    path: str
    crop: str
    mark: Mark
    place: Place | PhotoRow | None = None

    def photo(self, root: Path) -> Path:
        """The photo below the raw folder, or in what else was given as such."""
        if self.place is not None:
            return StoredPhoto(str(root), self.path, self.place)
        return root / self.path if root.is_dir() else root.with_name(self.path)

    def to_line(self) -> str:
        """A line of the list."""
        place = () if self.place is None else (astuple(self.place), type(self.place) is PhotoRow)
        return json.dumps([self.path, self.crop, self.mark.size, self.mark.mtime, *place]) + "\n"


def scan(
    root: Path, out: Path, listing: Path, passed: PassedOver | None = None, pages: bool = False
) -> int:
    """Write the list of images under ``root`` to ``listing``, a line of JSON each.

    The crop name is the path without its extension; where two would have the same, the extension stays in the
    crop name, so that no crop overwrites another. Images under ``out`` are left aside.

    Args:
        root: the raw images: a folder, or a collection as `facepipe.datasets.photos` knows them.
        out: where the crops go.
        listing: file to write.
        passed: counts what is left out.
        pages: every page, frame or picture of a file is an image, not the first alone.

    Returns:
        The number of images.

    Raises:
        DatasetError: there are none.
    """
    count = 0
    inside = out.resolve()
    passed = PassedOver() if passed is None else passed
    with replacing(listing) as temporary, temporary.open("w", encoding="ascii") as file:
        photos: Iterable[Path] = (
            list_collection(root, passed) if is_collection(root) else list_images(root, passed=passed)
        )
        if pages:
            photos = (page for path in photos for page in each_page(path))
        for folder, group in groupby(photos, key=lambda path: path.parent):
            paths = list(group)
            if not isinstance(paths[0], StoredPhoto) and folder.resolve().is_relative_to(inside):
                continue
            for path, name in zip(paths, crop_names(paths), strict=True):
                file.write(_listed(root, path, name).to_line())
            count += len(paths)
        if count == 0:
            instead = f" ({passed.line()})" if passed else ""
            raise DatasetError(f"{root}: no images in it{instead}; the layout is dataset/identity/image.jpg")
    return count


def _listed(root: Path, path: Path, name: str) -> Listed:
    if isinstance(path, StoredPhoto):
        crop = str(Path(path.inside).with_name(name))
        return Listed(path.inside, crop, Mark(getattr(path.place, "size", 0), 0), path.place)
    relative = path.relative_to(root) if root.is_dir() else Path(path.name)
    return Listed(str(relative), str(relative.with_name(name)), mark_file(file_of(path)))


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
            path, crop, *rest = json.loads(line)
            mark = Mark(*rest[:2]) if rest else _UNKNOWN
            place = (PhotoRow if rest[3] else Place)(*rest[2]) if rest[2:] else None
            yield Listed(path, crop, mark, place)


def units(listing: Path, size: int) -> Iterator[list[Listed]]:
    """The listed images in lists of ``size``."""
    images = read_listing(listing)
    while unit := list(islice(images, size)):
        yield unit


def length(listing: Path) -> int:
    """How many images are listed."""
    with listing.open("rb") as file:
        return sum(1 for _ in file)
