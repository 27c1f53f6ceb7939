"""The photos of a WebDataset tar shard."""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from facepipe.datasets.samples.shard_groups import Labelled
from facepipe.datasets.samples.shards import Index, scan_shard
from facepipe.errors import DatasetError
from facepipe.files import PassedOver, folder_of
from facepipe.images import Place, StoredPhoto


class _Photos(Index):
    """Indexes the photos of one shard with their names."""

    def __init__(self) -> None:
        super().__init__(labelled=None)
        self.names: dict[int, str] = {}
        self.found: list[tuple[str, int, int]] = []

    def name(self, member: tarfile.TarInfo) -> None:
        self.names[member.offset_data] = member.name

    def add(self, shard: int, found: Iterable[Labelled]) -> None:  # noqa: ARG002
        for image, label in found:
            name = PurePosixPath(self.names.pop(image.offset))
            folder = folder_of(label.identity) if label.identity else str(name.parent)
            self.found.append((_inside(folder, name.name), image.offset, image.size))


def shard_photos(file: Path, root: Path, front: str, passed: PassedOver) -> Iterator[StoredPhoto]:
    """The photos in the order of the shard, each in the folder of its identity, if it has one.

    Args:
        file: the shard, local or in a store.
        root: the root given by the user.
        front: prefix of the names.
        passed: counts metadata files of macOS.

    Raises:
        DatasetError: the shard is not a tar file, compressed or truncated.
    """
    photos = _Photos()
    problem = scan_shard(file, 0, photos)
    if problem:
        raise DatasetError(f"{problem}; download it again")
    for _ in range(photos.foreign):
        passed.add("macOS metadata file", file)
    taken: set[str] = set()
    for inside, offset, size in photos.found:
        folder, _, name = inside.rpartition("/")
        unique = _make_unique(_inside(folder, f"{front}{name}"), taken)
        yield StoredPhoto(str(root), unique, Place(str(file), offset, size))


def _inside(folder: str, name: str) -> str:
    """A path without components that lead upwards."""
    parts = [part.replace("\0", "_") for part in PurePosixPath(folder).parts if part not in ("/", "..", ".")]
    return "/".join([*parts, name])


def _make_unique(path: str, taken: set[str]) -> str:
    """The path, with a number appended if it is already taken."""
    stem, dot, extension = path.rpartition(".")
    number, unique = 1, path
    while unique in taken:
        number += 1
        unique = f"{stem}-{number}{dot}{extension}"
    taken.add(unique)
    return unique
