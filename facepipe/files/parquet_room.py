"""The memory that reading a Parquet file takes, before it is read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.files.parquet_lengths import longest_text, repeated_bytes, values_of
from facepipe.files.parquet_pages import Chunk, PageError, pages, row_groups
from facepipe.files.stored import StoredPath

_SMALL, _RATIO = 256 << 20, 128
"""Reading may take 256 MB, and of larger files 128 times their size."""
_VALUE, _NUMBER, _END = 8, 4, 8
_DICTIONARY_CODED, _PREFIX_CODED = (2, 8), 7
_ENTRIES = 1 << 20
"""Of a dictionary whose lengths are looked at; the usual one has a megabyte."""


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
        # Photos are read one row group after the other, each from the file opened anew.
        read = row_groups if groups is None else _remembered
        self._groups = dict(enumerate(read(stream.read(length), self._size)))
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
        sharing = []
        for number, group in self._groups.items():
            for column in self._columns:
                sure, bound, has_prefixes = self._chunk(group.chunks[column], _width(self._leaves[column]))
                self._take(sure)
                sharing.append(_Sharing(bound, number, column, has_prefixes))
        self._take_sharing([one for one in sharing if one.bound])

    def _take(self, count: int) -> None:
        self._taken += count
        self._require(self._taken)

    def _require(self, taken: int) -> None:
        if taken > self._limit:
            raise ParquetTooLargeError(
                f"{self._path}: a file of {self._size:,} bytes whose contents take more than {self._limit:,} bytes of "
                "memory; check where it is from, or write it as several files"
            )

    def _take_sharing(self, sharing: "list[_Sharing]") -> None:
        """Count texts that share bytes; while the bounds are too much, the largest are computed more closely."""
        for closer in (self._by_lengths, self._by_reading):
            total = sum(column.bound for column in sharing)
            for place in sorted(range(len(sharing)), key=lambda place: -sharing[place].bound):
                if self._taken + total <= self._limit:
                    return
                before = sharing[place]
                sharing[place] = closer(before)
                total += sharing[place].bound - before.bound
        self._take(total)

    def _by_lengths(self, one: "_Sharing") -> "_Sharing":
        """Each number of a dictionary's entry counts as the longest entry; what texts repeat of others is exact."""
        leaf, chunk = self._leaves[one.column], self._groups[one.group].chunks[one.column]
        numbers = longest = repeated = 0
        for page in pages(self._stream, chunk):
            if page.is_dictionary:
                known = values_of(self._stream, page, chunk.codec, leaf) if page.values <= _ENTRIES else None
                longest = max(longest, page.inflated if known is None else longest_text(known, page.values))
            elif page.encoding in _DICTIONARY_CODED:
                numbers += page.values
            elif page.encoding == _PREFIX_CODED:
                known = values_of(self._stream, page, chunk.codec, leaf)
                repeated += page.values * page.inflated if known is None else repeated_bytes(known, page.values)
        return replace(one, bound=numbers * longest + repeated)

    def _by_reading(self, one: "_Sharing") -> "_Sharing":
        """Texts are counted exactly in a table that keeps the dictionaries."""
        if one.has_prefixes:  # these cannot be read so
            return one
        name = self._leaves[one.column].path
        with pq.ParquetFile(self._stream, metadata=self._footer, read_dictionary=[name], pre_buffer=False) as file:
            chunks = file.read_row_group(one.group, [name]).column(0).chunks
        return replace(one, bound=sum(map(_length, chunks)))

    def _chunk(self, chunk: Chunk, width: int) -> tuple[int, int, bool]:
        """Bytes of a column chunk, at most so many more for bytes that texts share, and whether some share prefixes."""
        sure = shared = entries = 0
        has_prefixes = False
        rest = chunk.values
        for page in pages(self._stream, chunk):
            if page.is_dictionary:
                entries += page.inflated
            elif not width and page.encoding in _DICTIONARY_CODED:
                shared += page.values * entries
            elif isinstance(self._path, StoredPath):
                # Every further header would fetch a block; the footer is believed for the rest.
                return sure + max(chunk.inflated, max(_VALUE, width) * rest), shared, has_prefixes
            elif not width and page.encoding == _PREFIX_CODED:
                # Each text may repeat all of those before it.
                shared, has_prefixes = shared + page.values * page.inflated, True
            sure += max(page.inflated, page.values * width) if width else page.inflated + page.values * _VALUE
            rest -= 0 if page.is_dictionary else page.values
        return sure, shared, has_prefixes


@dataclass(frozen=True)
class _Sharing:
    """A column of a row group whose texts share bytes: those of a dictionary, or of the text before (prefixes)."""

    bound: int
    group: int
    column: int
    has_prefixes: bool


_remembered = lru_cache(maxsize=4)(row_groups)


def _width(leaf: pq.ColumnSchema) -> int:
    """Bytes of a column's value; 0 for text of any length."""
    if leaf.physical_type == "BYTE_ARRAY":
        return 0
    return max(_VALUE, int(leaf.length) if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0)


def _is_of(path: str, columns: Sequence[str]) -> bool:
    return any(path == column or path.startswith(f"{column}.") for column in columns)


_LISTS = pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray | pa.ListViewArray | pa.LargeListViewArray


def _length(values: pa.Array) -> int:
    """Bytes of the text in an array of dictionary-coded values at any depth, were it not coded."""
    if pa.types.is_dictionary(values.type):
        return pc.sum(pc.binary_length(values.dictionary).cast(pa.int64()).take(values.indices)).as_py() or 0
    if pa.types.is_struct(values.type):
        return sum(_length(values.field(number)) for number in range(values.type.num_fields))
    if isinstance(values, _LISTS):
        return _length(values.values)
    if isinstance(values, pa.ExtensionArray):
        return _length(values.storage)
    return int(values.nbytes)
