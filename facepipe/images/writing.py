"""Writing images."""

import os
from pathlib import Path

import cv2
import numpy as np

from facepipe.errors import ImageError
from facepipe.files import write_bytes


def require_pixels(image: object) -> np.ndarray:
    """The one check of pixels that come from outside: uint8 H×W×3 RGB, or an error that says what else it is.

    Raises:
        ImageError: no array, another type or shape, or no pixels; the line says how to convert.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a NumPy array, uint8 H×W×3 RGB, not {type(image).__name__}{_of(image)}")
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return image
    raise ImageError(f"an image must be uint8 H×W×3 RGB, not {image.dtype} {image.shape}; {_advice(image)}")


def _of(image: object) -> str:
    return "; np.asarray(image.convert('RGB')) makes one" if hasattr(image, "convert") else "; use read_rgb"


def _advice(image: np.ndarray) -> str:
    if image.size == 0:
        return "it has no pixels"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.floating):
        return "of values 0…1 take (255 * image).round().astype('uint8')"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.integer):
        return "scale it to 0…255 and take .astype('uint8')"
    if image.ndim == 2:
        return "of a grey one take np.repeat(image[:, :, None], 3, 2)"
    if image.ndim == 3 and image.shape[2] == 4:
        return "drop the alpha channel with image[:, :, :3]"
    return "or use read_rgb"


def write_rgb(path: str | os.PathLike[str], image: np.ndarray, quality: int = 95) -> None:
    """Write an RGB uint8 H×W×3 image; the extension of ``path`` decides the format. Never half-written.

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
    """What must be asked before long work whose picture gets this extension.

    Raises:
        ImageError: no picture is written in this format.
    """
    if suffix.lower() not in WRITTEN:
        raise ImageError(f"{suffix or 'no extension'}: cannot write this format; use .jpg, .png or .webp")
