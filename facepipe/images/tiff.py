"""TIFF: damage inside its strips and tiles, by decoders that tell of it; the one that Pillow uses does not."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import simplejpeg
from PIL import Image

_COMPRESSION, _JPEG_TABLES = 259, 347
_PLACES = ((273, 279), (324, 325))
"""Tags of offsets and byte counts: of strips, and of tiles (TIFF 6.0)."""
_JPEG, _DEFLATE = (7,), (8, 32946)


def tiff_damage(data: bytes, picture: Image.Image) -> str:
    """What is wrong inside a TIFF compressed by deflate or JPEG; empty where nothing is, or nobody could tell.

    Args:
        data: the encoded file.
        picture: as Pillow opened it, at the page that is meant, not loaded yet.
    """
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    kind = tags.get(_COMPRESSION, 1)
    check: Callable[[bytes], object] = zlib.decompress
    if kind in _JPEG:
        tables = bytes(tags.get(_JPEG_TABLES, b""))
        colours = {"L": "GRAY", "CMYK": "CMYK"}.get(picture.mode, "RGB")

        def check(piece: bytes) -> object:
            # An abbreviated stream: its tables come first, between one start and one end of image.
            return simplejpeg.decode_jpeg(tables[:-2] + piece[2:] if tables else piece, colours, strict=True)

    elif kind not in _DEFLATE:
        return ""
    for piece in _pieces(data, tags):
        try:
            check(piece)
        except (ValueError, zlib.error) as error:
            return str(error).strip().rstrip(".")
    return ""


def _pieces(data: bytes, tags: Mapping[int, Any]) -> Iterator[bytes]:
    for offsets, counts in _PLACES:
        where, sizes = (tags.get(tag, ()) for tag in (offsets, counts))
        for offset, size in zip(where, sizes, strict=False):
            if size:
                yield data[offset : offset + size]
