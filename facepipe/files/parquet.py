"""Opening Parquet files; those that would take far more memory than the file is large are refused."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.files.parquet_room import ParquetTooLargeError, RoomNeeded
from facepipe.files.stored import as_path

DAMAGED_PARQUET = (OSError, ValueError, RecursionError, pa.ArrowException)
"""pyarrow's own errors; ValueError for invalid text and numbers, and RecursionError for JSON."""

_FOOTER, _FOOTER_SHARE, _ITEMS = 2 << 20, 4, 100_000
"""A footer has 2 MB or a quarter of the file at most, since it takes 230 times as much once read."""
_LIST, _ROW = 1 << 20, 64


@contextmanager
def open_parquet(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    row_bytes: int = _ROW,
    in_batches: bool = False,
    **options: Any,
) -> Iterator[pq.ParquetFile]:
    """A Parquet file, local or in a store, whose given columns and row groups may be read.

    What reading takes is computed from the headers of the pages, since a footer may claim anything; in a store, from
    the footer and the first pages.

    Args:
        path: the file.
        columns: columns or fields that will be read; None for all, empty if only the schema is.
        groups: numbers of the row groups that will be read; None for all.
        row_bytes: what the reader itself needs for a row.
        in_batches: whether row groups are read in batches, whose size the reader chooses by the length of lists.
        options: of `pyarrow.parquet.ParquetFile`.

    Raises:
        ParquetTooLargeError: reading would take more than 256 MB and more than 128 times the file's size.
        OSError, ValueError, pa.ArrowException: missing or damaged; see `DAMAGED_PARQUET`.
    """
    path = as_path(path)
    with path.open("rb") as stream:
        length = _footer(stream, path)
        options.setdefault("thrift_container_size_limit", _ITEMS)
        with pq.ParquetFile(stream, **options) as file:
            slots = _slots_of(file.schema_arrow, columns, path)
            if columns is None or columns:
                needed = RoomNeeded(path, stream, length, file.metadata, columns, groups)
                needed.check(row_bytes, 0 if in_batches else slots)
            yield file


def parquet_schema(path: str | os.PathLike[str]) -> pa.Schema:
    """The schema of a Parquet file.

    Raises:
        ParquetTooLargeError, OSError, ValueError, pa.ArrowException: as for `open_parquet`.
    """
    with open_parquet(path, ()) as file:
        return file.schema_arrow


def _footer(stream: BinaryIO, path: Path) -> int:
    """Bytes of the footer."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 8))
    length = int.from_bytes(stream.read(8)[:4], "little")
    stream.seek(0)
    # A longer one than the file is damage, which pyarrow refuses.
    if max(_FOOTER, size // _FOOTER_SHARE) < length < size:
        taken = f"{length:,} of {size:,} bytes"
        raise ParquetTooLargeError(f"{path}: its footer takes {taken}; write the file in fewer row groups")
    return length


def _slots_of(schema: pa.Schema, columns: Sequence[str] | None, path: Path) -> int:
    """The most numbers in a row's lists of a fixed size, which take their room also where they are null."""
    read = [field for field in schema if columns is None or _is_read(field.name, columns)]
    most = max((_slots(field.type) for field in read), default=1)
    if most > _LIST:
        raise ParquetTooLargeError(f"{path}: has lists of {most:,} numbers; at most {_LIST:,} are read")
    return most if most > 1 else 0


def _is_read(field: str, columns: Sequence[str]) -> bool:
    return any(f"{column}.".startswith(f"{field}.") for column in columns)


def _slots(kind: pa.DataType) -> int:
    inner = max((_slots(kind.field(number).type) for number in range(kind.num_fields)), default=1)
    return inner * int(kind.list_size) if pa.types.is_fixed_size_list(kind) else inner
