"""Reading and writing images: one reader for every command.

In memory an image is RGB, uint8, H×W×3, turned the way it is meant to be displayed (EXIF applied).
Pillow decodes rather than OpenCV, since OpenCV returns a half-grey picture for a truncated JPEG without
an error, and knows neither CMYK profiles nor the size of a picture before it has decoded it.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from facepipe.errors import ImageError
from facepipe.files import write_bytes

EXTENSIONS = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
        ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".tga",
    )
)
MAX_PIXELS = 178_956_970
"""Largest picture that is decoded: where Pillow itself speaks of a decompression bomb."""

_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


def read_rgb(source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS, name: str = "") -> np.ndarray:
    """Read any image file as RGB.

    Grey, palette, CMYK and 16-bit pictures are converted, transparency is laid over white, EXIF
    orientation is applied, and of an animation the first frame is taken.

    Args:
        source: a path, or the encoded bytes of an image.
        max_pixels: larger pictures are refused before they are decoded.
        name: what to call the image in errors; the path itself by default.

    Returns:
        uint8, H×W×3, C-contiguous, writable.

    Raises:
        ImageError: missing, a folder, empty, foreign, truncated, damaged or too large; names the file.
    """
    name = name or ("<bytes>" if isinstance(source, bytes) else os.fspath(source))
    data = source if isinstance(source, bytes) else _read_bytes(Path(source), name)
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes); fetch or export it again")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.format == "EPS":  # Pillow would run Ghostscript on it
                raise ImageError(f"{name}: PostScript, not a photo; convert it to JPEG or PNG")
            _check_size(picture, max_pixels, name)
            return _to_rgb(_upright(picture))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image that facepipe can read; convert it to JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: more pixels than the limit of {max_pixels:,}; scale it down first") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it; scale it down first") from error
    # Decoders raise almost anything on hostile bytes (struct.error, SyntaxError, IndexError, zlib.error ...).
    except Exception as error:
        raise ImageError(f"{name}: damaged or truncated ({_first_line(error)}); fetch it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"{name}: a folder, not an image; name a file in it")
        if path.exists() and not path.is_file():
            raise ImageError(f"{name}: not a regular file; name an image file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason})") from error


def _check_size(picture: Image.Image, max_pixels: int, name: str) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise ImageError(f"{name}: {width}×{height} is over the limit of {max_pixels:,} pixels; scale it down first")


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    try:
        turned = ImageOps.exif_transpose(picture)
    except Exception:  # a damaged EXIF block must not cost the picture
        return picture
    return turned if turned is not None else picture


def _to_rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode in _DEEP_MODES:
        return _grey_to_rgb(_eight_bits(np.asarray(picture)))
    if picture.mode == "F":
        return _grey_to_rgb(_eight_bits_of_floats(np.asarray(picture)))
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(paper, layer)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _eight_bits(values: np.ndarray) -> np.ndarray:
    return ((np.clip(values.astype(np.int64), 0, 65535) + 128) // 257).astype(np.uint8)


def _eight_bits_of_floats(values: np.ndarray) -> np.ndarray:
    """Floats are 0…1 when none of them is above 1, else 0…255."""
    finite = values[np.isfinite(values)]
    white = 1.0 if finite.size == 0 or finite.max() <= 1 else 255.0
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=white, neginf=0.0)
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def write_rgb(path: str | os.PathLike[str], image: np.ndarray, quality: int = 95) -> None:
    """Write an RGB uint8 H×W×3 image; the extension of ``path`` decides the format. Never half-written.

    Raises:
        ImageError: the extension is unknown, or the file cannot be written.
    """
    path = Path(path)
    data = encode_rgb(image, path.suffix, quality)
    try:
        write_bytes(path, data)
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror or error})") from error


def encode_rgb(image: np.ndarray, suffix: str, quality: int = 95) -> bytes:
    """Encode an RGB uint8 H×W×3 image as ``.jpg``, ``.png``, ``.webp`` ... ; ``quality`` 1 to 100 where lossy."""
    suffix = suffix.lower()
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        ".png": [],
        ".bmp": [],
    }
    if suffix not in options:
        raise ImageError(f"{suffix or 'no extension'}: cannot write this format; use .jpg, .png or .webp")
    if image.size == 0:
        raise ImageError(f"an image of shape {image.shape} has no pixels to encode")
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]), options[suffix])
    if not done:
        raise ImageError(f"an image of shape {image.shape} could not be encoded as {suffix}")
    return bytes(data)


def list_images(root: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the image files under ``root``: a folder's files in sorted order, then its folders in turn.

    A file yields itself. Hidden names are passed over; what is an image goes by the extension. Only one folder's
    names are in memory at a time. Links to folders are followed, loops are not.

    Raises:
        ImageError: ``root`` does not exist or cannot be listed.
    """
    root = Path(root)
    if root.is_file():
        yield root
    elif root.is_dir():
        yield from _walk(root, frozenset())
    else:
        raise ImageError(f"{root}: no such file or folder; check the path")


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ImageError(f"{folder}: cannot be listed ({error.strerror or error})") from error
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    folders = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            folders.append(entry.path)
        elif Path(entry.name).suffix.lower() in EXTENSIONS:
            yield Path(entry.path)
    for name in folders:
        yield from _walk(Path(name), above | {here})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it says so
        return False
