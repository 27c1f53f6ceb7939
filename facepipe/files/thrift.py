"""Reading structs of Thrift's compact protocol, without a definition of their fields."""

from collections.abc import Callable
from typing import Any

FALSE, I32, I64, LIST, STRUCT = 2, 5, 6, 9, 12
_TRUE, _BYTE, _I16, _DOUBLE, _BINARY = 1, 3, 4, 7, 8
_DEEPEST, _LENGTH, _LAST = 16, 1 << 31, 1 << 15

Struct = dict[tuple[int, int], Any]
"""(number, type) of a field → its value; None for types other than I32, I64, LIST and STRUCT; FALSE is the type of a
field whose value it is."""


class ThriftError(ValueError):
    """The bytes are no struct, or one that other readers may understand otherwise."""


def read_struct(data: bytes, at: int = 0, depth: int = 0) -> tuple[Struct, int]:
    """The struct at an offset, and the offset after it.

    Raises:
        ThriftError: it is malformed, has a field twice, or is nested too deeply.
        IndexError: the data end before it.
    """
    if depth > _DEEPEST:
        raise ThriftError("nested too deeply")
    fields: Struct = {}
    number = last = 0
    while byte := data[at]:
        at += 1
        step, kind = byte >> 4, byte & 15
        if step:
            number += step
        else:
            number, at = read_integer(data, at)
        if number <= last or number > _LAST:
            # Writers go by their numbers; then no field can occur twice.
            raise ThriftError("a field occurs twice or has an invalid number")
        last = number
        if kind in (I32, I64):
            if (value := data[at]) < 128:  # the usual case, for speed
                value, at = (value >> 1) ^ -(value & 1), at + 1
            else:
                value, at = (_i64 if kind == I64 else _i32)(data, at, depth)
            fields[number, kind] = value
        elif kind in (_TRUE, FALSE):
            fields[number, kind] = None
        else:
            fields[number, kind], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    read = _READ.get(kind)
    if read is None:
        raise ThriftError("a field has an unknown type")
    return read(data, at, depth + 1)


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    if depth > _DEEPEST:
        raise ThriftError("nested too deeply")
    length, kind = data[at] >> 4, data[at] & 15
    at += 1
    if length == 15:
        length, at = _size(data, at)
    values = []
    for _ in range(length):
        value, at = _value(data, at, _BYTE if kind in (_TRUE, FALSE) else kind, depth)
        values.append(value)
    return values, at


def _i32(data: bytes, at: int, _: int) -> tuple[int, int]:
    number, at = read_integer(data, at)
    if not -_LENGTH <= number < _LENGTH:
        raise ThriftError("a number is too large")
    return number, at


def _i64(data: bytes, at: int, _: int) -> tuple[int, int]:
    return read_integer(data, at)


def _binary(data: bytes, at: int, _: int) -> tuple[None, int]:
    length, at = _size(data, at)
    return _past(data, at + length)


def _past(data: bytes, at: int) -> tuple[None, int]:
    if at > len(data):
        raise IndexError
    return None, at


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """The signed number of variable length at an offset, and the offset after it. Errors as for `read_unsigned`."""
    number, at = read_unsigned(data, at)
    return (number >> 1) ^ -(number & 1), at


def _size(data: bytes, at: int) -> tuple[int, int]:
    number, at = read_unsigned(data, at)
    if number >= _LENGTH:
        raise ThriftError("a length is too large")
    return number, at


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """The number of variable length at an offset, and the offset after it.

    Raises:
        ThriftError: it has more than 64 bits.
        IndexError: the data end before it.
    """
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    number = shift = 0
    while byte >= 128:
        number |= (byte & 127) << shift
        at += 1
        shift += 7
        byte = data[at]
        if shift > 63:
            raise ThriftError("a number does not end")
    number |= byte << shift
    if number >> 64:
        raise ThriftError("a number is too large")
    return number, at + 1


_READ: dict[int, Callable[[bytes, int, int], tuple[Any, int]]] = {
    _BYTE: lambda data, at, _: _past(data, at + 1),
    _I16: _i32,
    I32: _i32,
    I64: _i64,
    _DOUBLE: lambda data, at, _: _past(data, at + 8),
    _BINARY: _binary,
    LIST: _list,
    10: _list,
    STRUCT: read_struct,
}
