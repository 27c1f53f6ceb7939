"""How long the texts of a page are, read from their lengths alone: no text is put together."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.files.parquet_pages import Page, PageError
from facepipe.files.thrift import ThriftError, read_integer, read_unsigned

_CODECS = {0: "", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
"""By their number in the format's definition; the others are rare."""
_TOGETHER, _END, _WIDEST = 4096, 1 << 31, 32


def values_of(stream: BinaryIO, page: Page, codec: int, leaf: pq.ColumnSchema) -> bytes | None:
    """The values of a page, decompressed; None if this is not known for its kind of compression or levels.

    Raises:
        PageError, pa.ArrowException, OSError: damaged.
    """
    if page.levels is None or codec not in _CODECS:
        return None
    stream.seek(page.start)
    data = stream.read(page.stored)
    first = max(0, page.levels)
    if first > min(page.inflated, len(data)):
        raise PageError("a page is shorter than its levels")
    data = data[first:]
    if _CODECS[codec] and page.compressed:
        data = pa.decompress(data, page.inflated - first, _CODECS[codec], asbytes=True)
    if page.levels < 0:
        at = 0
        for level in (leaf.max_repetition_level, leaf.max_definition_level):
            at += 4 + int.from_bytes(data[at : at + 4], "little") if level else 0
        data = data[at:]
    return data


def longest_text(data: bytes, count: int) -> int:
    """Bytes of the longest of ``count`` texts, each after its length.

    Raises:
        PageError: the data end before the last one.
    """
    at = longest = 0
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "little")
        longest, at = max(longest, length), at + 4 + length
        if at > len(data):
            raise PageError("a dictionary ends early")
    return longest


def repeated_bytes(data: bytes, count: int) -> int:
    """Bytes that texts repeat of those before them: the sum of their prefixes (DELTA_BYTE_ARRAY).

    Args:
        data: of a page of ``count`` texts, with nulls.

    Raises:
        PageError: damaged.
    """
    try:
        return sum(_sums(data, count))
    except (ThriftError, IndexError) as error:
        raise PageError("the prefixes of texts are damaged") from error


def _sums(data: bytes, count: int) -> Iterator[int]:
    """Sums of the numbers in a DELTA_BINARY_PACKED sequence, of one run after the other."""
    block, at = read_unsigned(data, 0)
    parts, at = read_unsigned(data, at)
    held, at = read_unsigned(data, at)
    last, at = read_integer(data, at)
    run = block // max(1, parts)
    if held > count or not run or run % 32 or block % parts:
        raise PageError("the prefixes of texts are damaged")
    yield _checked(last) if held else 0
    rest = held - 1
    while rest > 0:
        least, at = read_integer(data, at)
        widths, at = data[at : at + parts], at + parts
        if len(widths) < parts or abs(least) > 2 * _END or max(widths) > _WIDEST:
            raise PageError("the prefixes of texts are damaged")
        for width in widths:
            here = min(run, max(0, rest))
            if width:
                for steps in _unpacked(data[at : at + run * width // 8], width, here):
                    numbers = last + np.cumsum(steps + least)
                    for extreme in (numbers.min(), numbers.max()):
                        _checked(int(extreme))
                    last = int(numbers[-1])
                    yield int(numbers.sum())
            else:
                yield here * last + least * here * (here + 1) // 2
                last = _checked(last + least * here)
            at, rest = at + run * width // 8, rest - here


def _unpacked(data: bytes, width: int, count: int) -> Iterator[np.ndarray]:
    """``count`` numbers of ``width`` bits each, int64."""
    places = 1 << np.arange(width, dtype=np.int64)
    for first in range(0, count, _TOGETHER):
        here = min(_TOGETHER, count - first)
        piece = np.frombuffer(data[first * width // 8 : (first * width + here * width + 7) // 8], np.uint8)
        bits = np.unpackbits(piece, bitorder="little")
        if len(bits) < here * width:
            raise PageError("the prefixes of texts are damaged")
        yield bits[: here * width].reshape(here, width) @ places


def _checked(length: int) -> int:
    if not 0 <= length < _END:
        raise PageError("a prefix of an impossible length")
    return length
