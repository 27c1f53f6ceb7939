"""Listing images with size and time, so that a job resumes with the same list or detects changes."""

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
    """An image in the list.

    Attributes:
        path: relative to the raw folder.
        crop: name of its crop, relative to the output folder, without extension.
        mark: its size and time when listed; negative size in lists of older versions.
        place: where its bytes are, for a photo that is not a separate file.
    """

    path: str
    crop: str
    mark: Mark
    place: Place | PhotoRow | None = None

    def photo(self, root: Path) -> Path:
        """The photo in the raw folder or collection."""
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
    """Write the list of images under ``root`` to ``listing``, one line of JSON each.

    The crop name is the path without its extension; if two would be the same, the extension stays in the
    crop name, so that no crop overwrites another. Images under ``out`` are skipped.

    Args:
        root: the raw images: a folder, or a collection supported by `facepipe.datasets.photos`.
        out: output folder for crops.
        listing: file to write.
        passed: counts ignored files.
        pages: treat every page, frame or picture of a file as an image, not only the first.

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
            raise DatasetError(f"{root}: contains no images{instead}; the layout is dataset/identity/image.jpg")
    return count


def _listed(root: Path, path: Path, name: str) -> Listed:
    if isinstance(path, StoredPhoto):
        crop = str(Path(path.inside).with_name(name))
        return Listed(path.inside, crop, Mark(getattr(path.place, "size", 0), 0), path.place)
    relative = path.relative_to(root) if root.is_dir() else Path(path.name)
    return Listed(str(relative), str(relative.with_name(name)), mark_file(file_of(path)))


def crop_names(paths: Sequence[Path]) -> list[str]:
    """A name for the crop of each file of a folder, without the extension if that is unique."""
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
    """Number of listed images."""
    with listing.open("rb") as file:
        return sum(1 for _ in file)
