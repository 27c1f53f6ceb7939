"""Reading an image together with the fingerprint of its file."""

from dataclasses import replace
from pathlib import Path

from facepipe.errors import ImageError
from facepipe.files.address_path import AddressPath
from facepipe.files.fingerprint import UNMARKED, digest_of_bytes, mark_file
from facepipe.images.pages import file_and_page
from facepipe.images.reading import Picture, read_encoded, read_image


def read_marked(path: Path, max_pixels: int, strict: bool = False) -> Picture:
    """`read_image` for a file, with the file's size, time and digest in ``mark``.

    Args:
        path: of the image.
        max_pixels: larger pictures are refused.
        strict: refuse pictures with internal damage.

    Raises:
        ImageError: see `read_image`; its ``mark`` has the state of the file.
    """
    mark = UNMARKED
    try:
        file, page = file_and_page(path)
        if not isinstance(file, AddressPath):
            mark = mark_file(file)  # before the bytes: a change in between is noticed next time
        data = read_encoded(file, str(path))
        mark = mark.of(digest_of_bytes(data))
        return replace(read_image(data, max_pixels, str(path), page, strict), mark=mark)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ImageError as error:
        error.mark = mark
        raise
