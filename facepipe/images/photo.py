"""A photo in any form: a path, bytes, a file object, a Pillow image or an array."""

import os
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np

from facepipe.errors import ImageError
from facepipe.images.pixels import require_pixels
from facepipe.images.reading import MAX_PIXELS, Picture, read_image

if TYPE_CHECKING:
    from PIL.Image import Image

Photo = Union[str, os.PathLike[str], bytes, BinaryIO, "Image", np.ndarray]
"""The type of photos in the Python API. An array is uint8 H×W×3 RGB."""


def read_photo(
    photo: Photo, bgr: bool = False, max_pixels: int = MAX_PIXELS, strict: bool = False
) -> tuple[str, Picture]:
    """The name of a photo and its contents, as returned by `read_image`.

    Args:
        photo: see `Photo`. A Pillow image is rotated according to its EXIF block; an array is used as it is.
        bgr: an array has blue first, as OpenCV reads it.
        max_pixels: larger pictures are refused.
        strict: see `read_image`; for encoded photos.

    Returns:
        The path, or a placeholder: ``<bytes>``, ``<file>``, ``<Pillow image>``, ``<array>``; and the picture.

    Raises:
        ImageError: not a photo, or one that cannot be read; ``bgr`` for anything but an array.
    """
    if isinstance(photo, np.ndarray):
        pixels = require_pixels(photo)
        return "<array>", Picture(np.ascontiguousarray(pixels[:, :, ::-1] if bgr else pixels))
    if bgr:
        raise ImageError("bgr=True is for arrays; photos of other kinds are read in the right order anyway")
    if isinstance(photo, str | os.PathLike):
        return os.fspath(photo), read_image(photo, max_pixels, strict=strict)
    if isinstance(photo, bytes | bytearray | memoryview):
        return "<bytes>", read_image(bytes(photo), max_pixels, "<bytes>", strict=strict)
    if hasattr(photo, "read"):
        name = getattr(photo, "name", "<file>")
        name = name if isinstance(name, str) else "<file>"
        return name, read_image(photo.read(), max_pixels, name, strict=strict)
    if hasattr(photo, "getexif"):
        return "<Pillow image>", _of_pillow(photo)
    raise ImageError(f"a photo is a path, bytes, a file, a Pillow image or an array, not {type(photo).__name__}")


def _of_pillow(image: "Image") -> Picture:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image) or image
    return Picture(np.array(upright.convert("RGB")))
