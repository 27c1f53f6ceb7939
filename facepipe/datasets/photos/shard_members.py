"""The photos of a WebDataset tar shard."""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from facepipe.datasets.samples.shard_groups import Labelled
from facepipe.datasets.samples.shards import Index, scan_shard
from facepipe.errors import DatasetError
from facepipe.files import PassedOver
from facepipe.images import Place, StoredPhoto


class _Photos(Index):
    """Takes the photos of one shard with their names."""

    def __init__(self) -> None:
        super().__init__(labelled=None)
        self.names: dict[int, str] = {}
        self.found: list[tuple[str, int, int]] = []

    def name(self, member: tarfile.TarInfo) -> None:
        self.names[member.offset_data] = member.name

    def add(self, shard: int, found: Iterable[Labelled]) -> None:  # noqa: ARG002
        for image, label in found:
            name = PurePosixPath(self.names.pop(image.offset))
            folder = label.identity or str(name.parent)
            self.found.append((_inside(folder, name.name), image.offset, image.size))


def shard_photos(file: Path, root: Path, front: str, passed: PassedOver) -> Iterator[StoredPhoto]:
    """The photos in the order of the shard; each in the folder of its identity, if the shard names one.

    Args:
        file: the shard, here or in a store.
        root: what was given.
        front: of the name of each photo.
        passed: counts what a Mac put between.

    Raises:
        DatasetError: the shard is no tar file, compressed, or ends in the middle.
    """
    photos = _Photos()
    problem = scan_shard(file, 0, photos)
    if problem:
        raise DatasetError(f"{problem}; fetch it again")
    for _ in range(photos.foreign):
        passed.add("file of a Mac between the samples", file)
    taken: set[str] = set()
    for inside, offset, size in photos.found:
        folder, _, name = inside.rpartition("/")
        own = _alone(_inside(folder, f"{front}{name}"), taken)
        yield StoredPhoto(str(root), own, Place(str(file), offset, size))


def _inside(folder: str, name: str) -> str:
    """A path that climbs nowhere."""
    parts = [part.replace("\0", "_") for part in PurePosixPath(folder).parts if part not in ("/", "..", ".")]
    return "/".join([*parts, name])


def _alone(path: str, taken: set[str]) -> str:
    """The path, with a number where it was taken before."""
    stem, dot, extension = path.rpartition(".")
    number, own = 1, path
    while own in taken:
        number += 1
        own = f"{stem}-{number}{dot}{extension}"
    taken.add(own)
    return own
