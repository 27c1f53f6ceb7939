"""Photos in stores, in tar shards and in Parquet files: read when they are opened, and not kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.errors import FacepipeError, ImageError
from facepipe.files.address_path import AddressPath
from facepipe.files.stored import StoredPath

SHARD, TABLE = ".tar", ".parquet"


def is_collection(path: Path) -> bool:
    """Whether a path means photos that are no files of this machine: a store's address, a tar shard, a Parquet file."""
    return isinstance(path, StoredPath) or (path.suffix.lower() in (SHARD, TABLE) and path.is_file())


@dataclass(frozen=True)
class Place:
    """Where the bytes of a photo lie.

    Attributes:
        file: that holds them, as an address or a path.
        offset, size: of the photo in it; a negative size stands for all that follows.
    """

    file: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        """The bytes.

        Raises:
            FacepipeError, OSError: they cannot be had.
        """
        if "://" in self.file:
            return StoredPath(self.file).read_span(self.offset, self.size)
        with Path(self.file).open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


class StoredPhoto(AddressPath):
    """Stands where a path of a photo does.

    Args:
        given: the store's folder, the shard or the Parquet file that it was found in.
        inside: the photo's path below it.
        place: where its bytes lie.
    """

    def __new__(cls, given: str, inside: str, place: Any) -> "StoredPhoto":
        made = super().__new__(cls, f"{given.rstrip('/')}/{inside}", inside)
        assert isinstance(made, StoredPhoto)
        made.given, made.inside, made.place = given, inside, place
        return made

    def __init__(self, given: str, inside: str, _place: Any) -> None:
        super().__init__(f"{given.rstrip('/')}/{inside}", inside)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPhoto, (self.given, self.inside, self.place)

    def read(self) -> bytes:
        """The encoded photo.

        Raises:
            ImageError: it cannot be had.
        """
        try:
            data: bytes = self.place.read()
        except (FacepipeError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ImageError(f"{self}: cannot be read ({reason})") from error
        size = getattr(self.place, "size", -1)
        if 0 <= size != len(data):
            raise ImageError(f"{self}: ends in the middle; fetch {getattr(self.place, 'file', self.given)} again")
        return data
