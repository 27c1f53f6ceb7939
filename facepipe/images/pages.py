"""Pages of scans, frames of animations and pictures of one file, each by a name of its own: ``scan.tif@2``."""

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from facepipe.errors import ImageError
from facepipe.files.address_path import AddressPath
from facepipe.images.reading import know_heif, read_encoded


def each_page(path: Path) -> Iterator[Path]:
    """The file itself for its first page, and a name for each further one. What cannot be opened counts as one page."""
    yield path
    if not isinstance(path, AddressPath):
        for number in range(2, _count(path) + 1):
            yield path.with_name(f"{path.name}@{number}")


def _count(path: Path) -> int:
    try:
        data = read_encoded(path)
        know_heif(data)
        with Image.open(io.BytesIO(data)) as picture:
            return int(getattr(picture, "n_frames", 1))
    except (ImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1  # told where it is read
