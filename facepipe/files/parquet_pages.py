"""The column chunks and pages of a Parquet file, as its footer and the pages' own headers describe them.

pyarrow does not show the headers of pages, and ends the process for some damaged footers when asked for column chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from facepipe.files.thrift import FALSE, I32, I64, LIST, STRUCT, Struct, ThriftError, read_struct

_GUESS, _LONGEST = 256, 16 << 20
_DICTIONARY, _SECOND_FORM, _RUN_LENGTHS = 2, 3, 3
_BODY = {0: (5, 1, 2), _DICTIONARY: (7, 1, 2), _SECOND_FORM: (8, 1, 4)}
"""Type of a page → the fields of its own header, of its number of values and of their encoding."""


class PageError(ValueError):
    """The footer or a page's header is damaged."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column in a row group, as the footer has it.

    Attributes:
        start: offset of the first page.
        stored, inflated: bytes in the file, and once decompressed.
        values: number of values, with nulls.
        codec: of the compression, by its number in the format's definition.
    """

    start: int
    stored: int
    inflated: int
    values: int
    codec: int


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group: its columns, and the number of rows."""

    chunks: list[Chunk]
    rows: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its header describes it.

    Attributes:
        inflated: bytes once decompressed.
        values: number of values, with nulls.
        encoding: of the values, by the number in the format's definition.
        is_dictionary: whether it holds the dictionary of the pages after it.
        start, stored: offset and number of its bytes in the file.
        levels: bytes of levels before the values; -1 if each kind of them begins with its length, None if unknown.
        compressed: whether what follows the levels is compressed, if the column is.
    """

    inflated: int
    values: int
    encoding: int
    is_dictionary: bool
    start: int
    stored: int
    levels: int | None
    compressed: bool


def row_groups(footer: bytes, size: int) -> list[RowGroup]:
    """The row groups of a file of ``size`` bytes.

    Raises:
        PageError: the footer is damaged, or a column is not within the file.
    """
    try:
        file = read_struct(footer)[0]
        return [_group(group, size) for group in file[4, LIST]]
    except (IndexError, KeyError, TypeError, ThriftError) as error:
        raise PageError(f"the footer is damaged ({error})") from error


def _group(group: Struct, size: int) -> RowGroup:
    chunks = [_chunk(column[3, STRUCT]) for column in group[1, LIST]]
    for chunk in chunks:
        if chunk.values > 0 and not (chunk.stored >= 0 and 0 < chunk.start <= size - chunk.stored):
            raise PageError("a column is not within the file")
    return RowGroup(chunks, group[3, I64])


def _chunk(about: Struct) -> Chunk:
    data, dictionary = about[9, I64], about.get((11, I64), 0)
    start = dictionary if 0 < dictionary < data else data
    return Chunk(start, about[7, I64], about[6, I64], about[5, I64], about.get((4, I32), 0))


def pages(stream: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    """The pages that a reader of a column chunk reads.

    Raises:
        PageError: a header is damaged, or the file ends early.
    """
    at, values = chunk.start, chunk.values
    while values > 0:
        header, at = _header(stream, at)
        kind, inflated, stored = (_count(header, number) for number in (1, 2, 3))
        if kind in _BODY:
            place, count, encoding = _BODY[kind]
            body: Any = header.get((place, STRUCT), {})
            held = _count(body, count)
            form = _form(kind, body)
            yield Page(inflated, held, _count(body, encoding), kind == _DICTIONARY, at, stored, *form)
            values -= 0 if kind == _DICTIONARY else held
        at += stored


def _form(kind: int, body: Struct) -> tuple[int | None, bool]:
    """`Page.levels` and `Page.compressed`."""
    if kind == _DICTIONARY:
        return 0, True
    if kind == _SECOND_FORM:
        return _count(body, 5) + _count(body, 6), (7, FALSE) not in body
    return (-1 if _count(body, 3) == _count(body, 4) == _RUN_LENGTHS else None), True


def _count(fields: Struct, number: int) -> int:
    count = fields.get((number, I32), -1)
    if count < 0:
        raise PageError("a page without its size or number of values")
    return int(count)


def _header(stream: BinaryIO, start: int) -> tuple[Struct, int]:
    """The header at ``start``, and the offset after it."""
    size = _GUESS
    while True:
        stream.seek(start)
        data = stream.read(size)
        try:
            header, length = read_struct(data)
            return header, start + length
        except ThriftError as error:
            raise PageError(f"a page's header is damaged ({error})") from error
        except IndexError as error:
            if len(data) < size or size >= _LONGEST:
                raise PageError("a page's header does not end") from error
            size *= 8
