"""Writing images."""

import os
from pathlib import Path

import numpy as np

from facepipe.errors import ImageError
from facepipe.files import write_bytes
from facepipe.images.pixels import require_pixels


def write_rgb(path: str | os.PathLike[str], image: np.ndarray, quality: int = 95) -> None:
    """Write an RGB uint8 H×W×3 image in the format given by the extension of ``path``. Never half-written.

    Raises:
        ImageError: not such an image, the extension is unknown, or the file cannot be written.
    """
    path = Path(path)
    data = encode_rgb(image, path.suffix, quality)
    try:
        write_bytes(path, data)
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror or error})") from error


def encode_rgb(image: np.ndarray, suffix: str, quality: int = 95) -> bytes:
    """Encode an RGB uint8 H×W×3 image as ``.jpg``, ``.png``, ``.webp`` ... ; ``quality`` 1 to 100 where lossy.

    Raises:
        ImageError: not such an image, or the format is unknown.
    """
    import cv2

    suffix = suffix.lower()
    require_suffix(suffix)
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }
    require_pixels(image)
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]), options.get(suffix, []))
    if not done:
        raise ImageError(f"an image of shape {image.shape} could not be encoded as {suffix}")
    return bytes(data)


WRITTEN = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def require_suffix(suffix: str) -> None:
    """Check, before long work, that pictures can be written with this extension.

    Raises:
        ImageError: pictures cannot be written in this format.
    """
    if suffix.lower() not in WRITTEN:
        raise ImageError(f"{suffix or 'no extension'}: cannot write this format; use .jpg, .png or .webp")
