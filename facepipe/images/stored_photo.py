"""Photos in stores, tar shards and Parquet files: read when they are opened, and not cached."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.errors import FacepipeError, ImageError
from facepipe.files.address_path import AddressPath
from facepipe.files.stored import StoredPath

SHARD, TABLE = ".tar", ".parquet"


def is_collection(path: Path) -> bool:
    """Whether a path stands for photos that are not local files: a store's address, a tar shard, a Parquet file."""
    return isinstance(path, StoredPath) or (path.suffix.lower() in (SHARD, TABLE) and path.is_file())


@dataclass(frozen=True)
class Place:
    """The location of a photo's bytes.

    Attributes:
        file: address or path of the file that contains them.
        offset, size: of the photo in the file; a negative size means everything from ``offset`` on.
    """

    file: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        """The bytes.

        Raises:
            FacepipeError, OSError: they cannot be read.
        """
        if "://" in self.file:
            return StoredPath(self.file).read_span(self.offset, self.size)
        with Path(self.file).open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


class StoredPhoto(AddressPath):
    """Takes the place of a photo's path.

    Args:
        container: the store's folder, the shard or the Parquet file in which it was found.
        inside: the photo's path within it.
        place: the location of its bytes.
    """

    def __new__(cls, container: str, inside: str, place: Any) -> "StoredPhoto":
        made = super().__new__(cls, f"{container.rstrip('/')}/{inside}", inside)
        assert isinstance(made, StoredPhoto)
        made.container, made.inside, made.place = container, inside, place
        return made

    def __init__(self, container: str, inside: str, _place: Any) -> None:
        super().__init__(f"{container.rstrip('/')}/{inside}", inside)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPhoto, (self.container, self.inside, self.place)

    def read(self) -> bytes:
        """The encoded photo.

        Raises:
            ImageError: it cannot be read.
        """
        try:
            data: bytes = self.place.read()
        except (FacepipeError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ImageError(f"{self}: cannot be read ({reason})") from error
        size = getattr(self.place, "size", -1)
        if 0 <= size != len(data):
            raise ImageError(f"{self}: truncated; download or copy {getattr(self.place, 'file', self.container)} again")
        return data
