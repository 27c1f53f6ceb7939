"""The pages of a column in a Parquet file, by their own headers: footers may claim anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_GUESS, _LONGEST, _DEEPEST = 256, 16 << 20, 16
_DICTIONARY = 2
_BODY = {0: (5, 1, 2), _DICTIONARY: (7, 1, 2), 3: (8, 1, 4)}
"""Type of a page → the fields of its own header, of its number of values and of their encoding."""


class PageError(ValueError):
    """What is at the place of a page's header is none."""


@dataclass(frozen=True)
class Page:
    """A page as its header describes it.

    Attributes:
        inflated: bytes once decompressed.
        values: number of values, with nulls.
        encoding: of the values, by the number in the format's definition.
        is_dictionary: whether it holds the dictionary of the pages after it.
    """

    inflated: int
    values: int
    encoding: int
    is_dictionary: bool


def pages(stream: BinaryIO, start: int, values: int) -> Iterator[Page]:
    """The pages of a column chunk that a reader of ``values`` values reads.

    Args:
        stream: the file.
        start: offset of the first page.
        values: of the chunk, as the footer has it.

    Raises:
        PageError: a header is damaged, or the file ends early.
    """
    while values > 0:
        header, start = _header(stream, start)
        kind, inflated, stored = (header.get(number, -1) for number in (1, 2, 3))
        if not all(isinstance(number, int) and number >= 0 for number in (kind, inflated, stored)):
            raise PageError("a page without sizes")
        if kind in _BODY:
            place, count, encoding = _BODY[kind]
            body = header.get(place)
            body = body if isinstance(body, dict) else {}
            held, code = body.get(count, -1), body.get(encoding, -1)
            if not all(isinstance(number, int) and number >= 0 for number in (held, code)):
                raise PageError("a page without values")
            yield Page(inflated, held, code, kind == _DICTIONARY)
            values -= 0 if kind == _DICTIONARY else held
        start += stored


def _header(stream: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    """The header at ``start``, and the offset after it."""
    size = _GUESS
    while True:
        stream.seek(start)
        data = stream.read(size)
        try:
            header, length = _struct(data, 0, 0)
            return header, start + length
        except IndexError as error:
            if len(data) < size or size >= _LONGEST:
                raise PageError("a page's header does not end") from error
            size *= 8


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol: number of a field → its value, and the offset after it."""
    fields: dict[int, Any] = {}
    number = 0
    while byte := data[at]:
        at += 1
        if byte >> 4:
            number += byte >> 4
        else:
            number, at = _integer(data, at)
        fields[number], at = _value(data, at, byte & 15, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise PageError("a page's header is nested too deeply")
    if kind in (1, 2):
        return kind == 1, at
    if kind in (4, 5, 6):
        return _integer(data, at)
    if kind == 12:
        return _struct(data, at, depth + 1)
    if kind in (3, 7):
        return None, _within(data, at + (1 if kind == 3 else 8))
    if kind == 8:
        length, at = _unsigned(data, at)
        return None, _within(data, at + length)
    if kind in (9, 10):
        return None, _past_list(data, at, depth)
    raise PageError("a page's header has a field of an unknown type")


def _past_list(data: bytes, at: int, depth: int) -> int:
    head = data[at]
    length, at = (head >> 4, at + 1) if head >> 4 < 15 else _unsigned(data, at + 1)
    for _ in range(length):
        kind = head & 15
        # In lists a truth value takes a byte.
        at = _within(data, at + 1) if kind in (1, 2) else _value(data, at, kind, depth + 1)[1]
    return at


def _within(data: bytes, at: int) -> int:
    if at > len(data):
        raise IndexError
    return at


def _integer(data: bytes, at: int) -> tuple[int, int]:
    number, at = _unsigned(data, at)
    return (number >> 1) ^ -(number & 1), at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise PageError("a number in a page's header does not end")
