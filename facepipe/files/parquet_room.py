"""The memory that reading a Parquet file takes, before it is read."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.files.parquet_pages import Chunk, Page, PageError, pages, row_groups
from facepipe.files.stored import StoredPath

_SMALL, _RATIO = 256 << 20, 128
"""Reading may take 256 MB, and of larger files 128 times their size."""
_VALUE, _NUMBER, _END = 8, 4, 8
_DICTIONARY_CODED, _PREFIX_CODED = (2, 8), 7


class ParquetTooLargeError(DatasetError, EmbeddingsError):
    """A Parquet file would take far more memory than it is large."""


class RoomNeeded:
    """The memory that reading takes, counted until it is too much.

    Args:
        path, stream: the file and its bytes.
        length: bytes of the footer.
        footer: as pyarrow read it.
        columns: those that will be read; None for all.
        groups: the row groups that will be read; None for all.
    """

    def __init__(
        self,
        path: Path,
        stream: BinaryIO,
        length: int,
        footer: pq.FileMetaData,
        columns: Sequence[str] | None,
        groups: Sequence[int] | None,
    ) -> None:
        self._path, self._stream, self._footer = path, stream, footer
        self._size = stream.seek(-_END - length, os.SEEK_END) + length + _END
        self._groups = dict(enumerate(row_groups(stream.read(length), self._size)))
        self._leaves = [footer.schema.column(number) for number in range(footer.num_columns)]
        self._columns = [n for n, leaf in enumerate(self._leaves) if columns is None or _is_of(leaf.path, columns)]
        self._whole = groups is None
        if any(len(group.chunks) != footer.num_columns for group in self._groups.values()):
            raise PageError("a row group does not have all columns")
        if groups is not None:
            self._groups = {number: self._groups[number] for number in groups}
        self._limit = max(_SMALL, _RATIO * self._size)
        self._taken = 0

    def check(self, row_bytes: int, slots: int) -> None:
        """Raise an error if it is too much.

        Args:
            row_bytes: what the reader itself needs for a row.
            slots: numbers in the lists of a fixed size of a row; 0 if a row group is not read at once.

        Raises:
            ParquetTooLargeError: more than 256 MB and more than 128 times the file's size.
        """
        rows = [max(0, group.rows) for group in self._groups.values()]
        self._require(max(rows, default=0) * slots * _NUMBER)
        self._take(row_bytes * max(sum(rows), self._footer.num_rows if self._whole else 0))
        coded = []
        for number, group in self._groups.items():
            for column in self._columns:
                sure, by_dictionary = self._chunk(group.chunks[column], _width(self._leaves[column]))
                self._take(sure)
                coded.append((by_dictionary, number, column))
        self._take_coded(sorted(coded, reverse=True))

    def _take(self, count: int) -> None:
        self._taken += count
        self._require(self._taken)

    def _require(self, taken: int) -> None:
        if taken > self._limit:
            raise ParquetTooLargeError(
                f"{self._path}: a file of {self._size:,} bytes whose contents take more than {self._limit:,} bytes of "
                "memory; check where it is from, or write it as several files"
            )

    def _take_coded(self, coded: list[tuple[int, int, int]]) -> None:
        """Count values that are numbers of a dictionary's entries.

        At first each counts as the whole dictionary; while that is too much, the largest columns are read, in which
        dictionaries are kept.
        """
        bounds = sum(bound for bound, _, _ in coded)
        if self._taken + bounds <= self._limit:
            return
        names = [self._leaves[column].path for column in self._columns]
        with pq.ParquetFile(self._stream, metadata=self._footer, read_dictionary=names, pre_buffer=False) as file:
            for bound, group, column in coded:
                if self._taken + bounds <= self._limit:
                    return
                bounds -= bound
                if bound:
                    for chunk in file.read_row_group(group, [self._leaves[column].path]).column(0).chunks:
                        self._take(_length(chunk))

    def _chunk(self, chunk: Chunk, width: int) -> tuple[int, int]:
        """Bytes of a column chunk, and at most so many more for numbers of a dictionary's entries."""
        sure = by_dictionary = entries = 0
        rest = chunk.values
        for page in pages(self._stream, chunk):
            if page.is_dictionary:
                entries += page.inflated
            elif not width and page.encoding in _DICTIONARY_CODED:
                by_dictionary += page.values * entries
            elif isinstance(self._path, StoredPath):
                # Every further header would fetch a block; the footer is believed for the rest.
                return sure + max(chunk.inflated, max(_VALUE, width) * rest), by_dictionary
            sure += _room(page, width)
            rest -= 0 if page.is_dictionary else page.values
        return sure, by_dictionary


def _width(leaf: pq.ColumnSchema) -> int:
    """Bytes of a column's value; 0 for text of any length."""
    if leaf.physical_type == "BYTE_ARRAY":
        return 0
    return max(_VALUE, int(leaf.length) if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0)


def _room(page: Page, width: int) -> int:
    if width:
        return max(page.inflated, page.values * width)
    # With prefixes each value may repeat all of those before it.
    return (page.values if page.encoding == _PREFIX_CODED else 1) * page.inflated + page.values * _VALUE


def _is_of(path: str, columns: Sequence[str]) -> bool:
    return any(path == column or path.startswith(f"{column}.") for column in columns)


def _length(values: pa.Array) -> int:
    """Bytes of the text in an array of dictionary-coded values at any depth, were it not coded."""
    if pa.types.is_dictionary(values.type):
        return pc.sum(pc.binary_length(values.dictionary).cast(pa.int64()).take(values.indices)).as_py() or 0
    if pa.types.is_struct(values.type):
        return sum(_length(values.field(number)) for number in range(values.type.num_fields))
    if isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        return _length(values.values)
    return int(values.nbytes)
