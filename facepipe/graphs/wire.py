"""The wire format of Protocol Buffers: numbered fields of integers, bytes, and 32 or 64 bits."""

import struct
from collections.abc import Iterable, Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a message: an int for a varint, otherwise the bytes.

    Raises:
        ValueError: this is not such a message, or it is truncated.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            length, at = _varint(data, at)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise ValueError(f"wire type {kind}")
        if number == 0 or at + length > end:
            raise ValueError("truncated")
        yield number, data[at : at + length]
        at += length


def varints(data: memoryview) -> list[int]:
    """Consecutive signed 64-bit integers."""
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(signed(value))
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("truncated")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def signed(value: int) -> int:
    """A varint as int64."""
    return value - (1 << 64) if value >> 63 else value


Parts = list[bytes]
"""A message in pieces, so that a large tensor is copied once instead of at every level of nesting."""


def message(number: int, parts: Parts) -> Parts:
    """A field with a message."""
    return [_written(number << 3 | BYTES) + _written(sum(map(len, parts))), *parts]


def varint_field(number: int, value: int) -> bytes:
    """A field with an integer."""
    return _written(number << 3 | VARINT) + _written(value & (1 << 64) - 1)


def bytes_field(number: int, value: bytes | str) -> bytes:
    """A field with bytes, text or a short message."""
    return b"".join(message(number, [value.encode() if isinstance(value, str) else value]))


def float_field(number: int, value: float) -> bytes:
    """A field with a float32."""
    return _written(number << 3 | FIXED32) + struct.pack("<f", value)


def packed_field(number: int, values: Iterable[int]) -> bytes:
    """A field with several integers."""
    return bytes_field(number, b"".join(_written(value & (1 << 64) - 1) for value in values))


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
