"""Reading images: one reader for every command.

Pillow is used instead of OpenCV, which returns a half-grey picture for a truncated JPEG without an error, and supports
neither CMYK profiles nor reading the size of a picture before decoding it.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from facepipe.errors import ImageError
from facepipe.files import UNMARKED, Mark
from facepipe.files.address_path import AddressPath
from facepipe.files.stored import StoredPath, StoreError
from facepipe.images.formats import KINDS, RAW
from facepipe.images.gif import gif_damage
from facepipe.images.jpeg import decode_jpeg
from facepipe.images.pages import file_and_page
from facepipe.images.pixels import eight_bits, eight_bits_of_floats, grey_to_rgb
from facepipe.images.png import is_png, without_text
from facepipe.images.remote import RemotePhoto
from facepipe.images.stored_photo import StoredPhoto
from facepipe.images.tiff import tiff_damage
from facepipe.parameters import parameter

MAX_PIXELS = 178_956_970
"""Largest picture that is decoded: the size at which Pillow itself reports a decompression bomb."""
MAX_BYTES = 1 << 30
"""Largest file that is read."""

_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_PAGES = {"TIFF": "page", "MPO": "picture", "HEIF": "picture"}
_DARK, _BRIGHT, _MOST = 16, 239, 0.98
"""A picture is almost black (or white) if this share of its samples is at most (or at least) the limit."""
_PLANAR_CONFIGURATION, _BITS_PER_SAMPLE, _SEPARATE_PLANES = 284, 258, 2  # TIFF 6.0


@dataclass(frozen=True)
class Picture:
    """An image that was read.

    Attributes:
        pixels: uint8 H×W×3 RGB, C-contiguous, writable.
        remarks: what a user should know about it: internal damage, pages that were not read, almost no light.
        frames: number of pages, frames or pictures in the file.
        mark: state of the file, if the reader records it.
    """

    pixels: np.ndarray
    remarks: tuple[str, ...] = ()
    frames: int = 1
    mark: Mark = UNMARKED

    @property
    def damaged(self) -> bool:
        """Whether the decoder found internal damage."""
        return any(remark.startswith(DAMAGED) for remark in self.remarks)


DAMAGED = "damaged inside"
_JPEG_XL = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"  # ISO/IEC 18181-2


def read_rgb(source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS, name: str = "") -> np.ndarray:
    """`read_image` without its remarks: uint8 H×W×3 RGB."""
    return read_image(source, max_pixels, name).pixels


def read_image(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = MAX_PIXELS,
    name: str = "",
    frame: int = 0,
    strict: bool = False,
) -> Picture:
    """Read any image file as RGB.

    Grey, palette, CMYK and 16-bit pictures are converted, transparency is composited onto white, EXIF orientation is
    applied, and one of several pages or frames is read: the first, or the second for a path ``FILE@2``, and so on.

    Args:
        source: a path, or the encoded bytes of an image.
        max_pixels: larger pictures are refused before they are decoded.
        name: name of the image in errors; the path itself by default.
        frame: number of the page or frame, from 0.
        strict: refuse a picture with internal damage instead of adding a remark.

    Raises:
        ImageError: missing, a folder, empty, not an image, truncated, damaged beyond reading or too large; names the
            file.
    """
    name = name or ("<bytes>" if isinstance(source, bytes) else os.fspath(source))
    _refuse_raw(Path(name).suffix, name)
    if isinstance(source, bytes):
        data = source
    else:
        path, page = file_and_page(source if isinstance(source, AddressPath) else Path(source))
        data, frame = read_encoded(path, name), frame or page
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes); download or export it again")
    try:
        picture = _decode(data, max_pixels, name, frame)
        if strict and picture.damaged:
            damage = next(remark for remark in picture.remarks if remark.startswith(DAMAGED))
            raise ImageError(f"{name}: {damage}; download it again, or leave out {parameter('strict')}")
        return picture
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image that facepipe can read; convert it to JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: more pixels than the limit of {max_pixels:,}; scale it down first") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it; scale it down first") from error
    # Decoders raise almost anything on malicious bytes (struct.error, SyntaxError, IndexError, zlib.error ...).
    except Exception as error:
        raise ImageError(f"{name}: damaged or truncated ({_first_line(error)}); download it again") from error


def _refuse_raw(extension: str, name: str) -> None:
    """Refuse raw camera files, for which Pillow would return the small preview."""
    if KINDS.get(extension.lower()) == RAW:
        raise ImageError(f"{name}: a {RAW}; export it as JPEG, PNG or TIFF")


def _decode(data: bytes, max_pixels: int, name: str, frame: int) -> Picture:
    if data.startswith(_JPEG_XL):
        raise ImageError(f"{name}: JPEG XL, which facepipe cannot read; convert it to JPEG or PNG")
    know_heif(data)
    if is_png(data):
        data = without_text(data)
    with Image.open(io.BytesIO(data)) as picture:
        if picture.format == "EPS":  # Pillow would run Ghostscript
            raise ImageError(f"{name}: PostScript, not a photo; convert it to JPEG or PNG")
        frames = getattr(picture, "n_frames", 1)
        if not 0 <= frame < frames:
            raise ImageError(f"{name}: there is no page or frame {frame + 1}, only {frames}")
        if frame:
            picture.seek(frame)
        _check_size(picture, max_pixels, name)
        remarks = [_pages_remark(picture.format or "", frame, frames)]
        pixels, remark = _pixels(data, picture, frame)
        remarks += [remark, _light_remark(pixels)]
    return Picture(pixels, tuple(remark for remark in remarks if remark), frames)


def know_heif(data: bytes) -> None:
    """Load Pillow's plugin for HEIC and HEIF when the first such file is read."""
    if data[4:8] == b"ftyp":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)


def _pages_remark(form: str, frame: int, frames: int) -> str:
    return f"{_PAGES.get(form, 'frame')} {frame + 1} of {frames} read" if frames > 1 else ""


def _pixels(data: bytes, picture: Image.Image, frame: int) -> tuple[np.ndarray, str]:
    """The upright pixels, and a remark on damage or depth."""
    damage = ""
    if picture.format in ("JPEG", "MPO") and frame == 0:
        decoded, damage = decode_jpeg(data, picture)
        if decoded is not None:
            return _upright_pixels(decoded, picture), ""
    if picture.format == "TIFF" and _has_deep_planes(picture):
        return _deep_planes(data)
    if picture.format == "TIFF":
        damage = tiff_damage(data, picture)
    if picture.format == "GIF":
        damage = gif_damage(data, picture)
    pixels, remark = _to_rgb(_upright(picture))
    return pixels, f"{DAMAGED} ({damage}): do not trust what it shows" if damage else remark


def _light_remark(pixels: np.ndarray) -> str:
    sample = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)]
    # Counts give the same answer as percentiles without sorting.
    until = np.bincount(sample.ravel(), minlength=256).cumsum() / sample.size
    if until[_DARK] >= _MOST:
        return "almost black"
    return "almost white" if until[_BRIGHT - 1] <= 1 - _MOST else ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def read_encoded(path: Path, name: str = "") -> bytes:
    """The bytes of an image file. Never blocks: anything but a regular file (such as a named pipe) is refused.

    Raises:
        ImageError: missing, not a regular file, too large for a photo, or unreadable; the message calls it ``name``.
    """
    if isinstance(path, RemotePhoto | StoredPhoto):
        return path.read()
    name = name or str(path)
    if isinstance(path, StoredPath):
        return _read_stored(path, name)
    try:
        if path.is_dir():
            raise ImageError(f"{name}: a folder, not an image; name a file in it")
        if path.exists() and not path.is_file():
            raise ImageError(f"{name}: not a regular file; name an image file")
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(f"{name}: larger than {MAX_BYTES >> 30} GiB, no photo; check what it is")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason})") from error


def _read_stored(path: StoredPath, name: str) -> bytes:
    try:
        if path.size() > MAX_BYTES:
            raise ImageError(f"{name}: larger than {MAX_BYTES >> 30} GiB, no photo; check what it is")
        return path.read_bytes()
    except StoreError as error:
        raise ImageError(str(error)) from error


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


def _upright_pixels(pixels: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Stored pixels, rotated according to the EXIF block of their picture."""
    try:
        orientation = int(picture.getexif().get(274, 1))
    except Exception:  # a damaged EXIF block must not cost the picture
        orientation = 1
    if not 2 <= orientation <= 8:
        return pixels
    # EXIF 2.3, tag 274: from 5 on rows and columns are swapped; the other values mirror axes.
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    upside_down, mirrored = {2: (0, 1), 3: (1, 1), 4: (1, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}.get(orientation, (0, 0))
    return np.ascontiguousarray(pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1])


def _has_deep_planes(picture: Image.Image) -> bool:
    """Whether a TIFF stores each 16-bit colour in a plane of its own, which Pillow decodes into stripes."""
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    return tags.get(_PLANAR_CONFIGURATION) == _SEPARATE_PLANES and len(bits) >= 3 and max(bits) == 16


def _deep_planes(data: bytes) -> tuple[np.ndarray, str]:
    from tifffile import imread

    planes = imread(io.BytesIO(data), key=0)
    pixels, remark = eight_bits(np.moveaxis(planes, 0, 2)[:, :, :3])
    return np.ascontiguousarray(pixels), remark


def _to_rgb(picture: Image.Image) -> tuple[np.ndarray, str]:
    if picture.mode in _DEEP_MODES:
        grey, remark = eight_bits(np.asarray(picture))
        return grey_to_rgb(grey), remark
    if picture.mode == "F":
        return grey_to_rgb(eight_bits_of_floats(np.asarray(picture))), ""
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(paper, layer)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB")), ""
