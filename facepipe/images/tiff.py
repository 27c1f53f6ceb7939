"""TIFF: detecting damage inside strips and tiles that Pillow's decoder does not report."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import simplejpeg
from PIL import Image

from facepipe.images.lzw import Lzw, lzw_damage

# Tags and values of TIFF 6.0.
_BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _SAMPLES, _ROWS_PER_STRIP = 258, 259, 262, 266, 277, 278
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _JPEG_TABLES = 284, 322, 323, 347
_STRIPS, _TILES = (273, 279), (324, 325)
"""Tags with offsets and byte counts."""
_LZW, _JPEG, _DEFLATE, _PACKBITS = (5,), (7,), (8, 32946), (32773,)
_YCBCR, _REVERSED, _SEPARATE = 6, 2, 2
_INFLATED = 1 << 20
"""Bytes decompressed at a time."""


def tiff_damage(data: bytes, picture: Image.Image) -> str:
    """A description of damage inside a TIFF with deflate, JPEG, LZW or PackBits; empty if there is none known.

    Args:
        data: the encoded file.
        picture: opened by Pillow and positioned at the page, but not loaded yet.
    """
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    kind = tags.get(_COMPRESSION, 1)
    if kind in (*_LZW, *_PACKBITS):
        return _wrong_length(data, tags, picture.size, kind in _LZW)
    if kind not in (*_JPEG, *_DEFLATE):
        return ""
    try:
        if kind in _JPEG:
            for piece in _pieces(data, tags):
                _decode_jpeg(piece, bytes(tags.get(_JPEG_TABLES, b"")), picture.mode)
        else:
            for piece, length in zip(_pieces(data, tags), _lengths(tags, picture.size), strict=False):
                _inflate(piece, length)
    except (ValueError, zlib.error) as error:
        return str(error).strip().rstrip(".")
    return ""


def _inflate(piece: bytes, length: int) -> None:
    """Decompress no more than ``length`` bytes and keep none: a kilobyte can decompress to a megabyte."""
    stream, left = zlib.decompressobj(), length + 1  # one more, so that the checksum behind the last byte is read
    while piece and left > 0 and not stream.eof:
        left -= len(stream.decompress(piece, min(left, _INFLATED)))
        piece = stream.unconsumed_tail
    if left > 0 and not stream.eof:
        raise zlib.error("its deflate stream is incomplete")


def _decode_jpeg(piece: bytes, tables: bytes, mode: str) -> None:
    colours = {"L": "GRAY", "CMYK": "CMYK"}.get(mode, "RGB")
    # An abbreviated stream: its tables come first, between start-of-image and end-of-image markers.
    simplejpeg.decode_jpeg(tables[:-2] + piece[2:] if tables else piece, colours, strict=True)


def _wrong_length(data: bytes, tags: Mapping[int, Any], size: tuple[int, int], lzw: bool) -> str:
    if tags.get(_PHOTOMETRIC) == _YCBCR or tags.get(_FILL_ORDER) == _REVERSED:
        return ""
    for piece, length in zip(_pieces(data, tags), _lengths(tags, size), strict=False):
        old = lzw and piece[:1] == b"\0" and piece[1:2] and piece[1] & 1  # as before TIFF 6.0
        wrong = "" if old else lzw_damage(piece, length, Lzw()) if lzw else _packbits_damage(piece, length)
        if wrong:
            return wrong
    return ""


def _pieces(data: bytes, tags: Mapping[int, Any]) -> Iterator[bytes]:
    for offsets, counts in (_STRIPS, _TILES):
        where, sizes = (tags.get(tag, ()) for tag in (offsets, counts))
        for offset, size in zip(where, sizes, strict=False):
            if size:
                yield data[offset : offset + size]


def _lengths(tags: Mapping[int, Any], size: tuple[int, int]) -> Iterator[int]:
    """Number of bytes that each strip or tile decodes to, in the order of the file's list."""
    bits = tuple(tags.get(_BITS, (1,)))
    bits = bits * tags.get(_SAMPLES, 1) if len(bits) == 1 else bits
    pixels = bits if tags.get(_PLANAR) == _SEPARATE else (sum(bits),)
    width, height = size
    for depth in pixels:
        if _TILE_WIDTH in tags:
            across, down = tags[_TILE_WIDTH], tags[_TILE_HEIGHT]
            for _ in range(-(-width // across) * -(-height // down)):
                yield -(-across * depth // 8) * down
        else:
            rows = min(tags.get(_ROWS_PER_STRIP, height), height)
            for top in range(0, height, rows):
                yield -(-width * depth // 8) * min(rows, height - top)


def _packbits_damage(piece: bytes, length: int) -> str:
    """TIFF 6.0, section 9: a byte n up to 127 is followed by n + 1 literal bytes, any other by one byte to repeat."""
    at = total = 0
    while at < len(piece) and total < length:
        count = piece[at]
        total += count + 1 if count < 128 else 257 - count if count > 128 else 0
        at += count + 2 if count < 128 else 2 if count > 128 else 1
    fits = total == length and len(piece) - 1 <= at <= len(piece)  # a strip may be padded to an even length
    return "" if fits else f"its PackBits stream does not decode to {length:,} bytes"
