"""Read columns of delimited text files with pyarrow, without a Python loop over lines."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import DatasetError

_BLOCK = 16 << 20


def read_columns(
    path: Path, kinds: Mapping[int | str, str], delimiter: str = " ", header: bool = False
) -> list[np.ndarray]:
    """Read some columns of a file into memory.

    Args:
        path: a text file without quotes; other columns are ignored.
        kinds: column number (or name, with ``header``) → ``text``, ``int32``, ``int64``, ``float32`` or ``float64``.
            An empty float is NaN.
        delimiter: column delimiter.
        header: whether the first line is a header.

    Returns:
        One array for each of ``kinds``, in the same order; text as an array of objects.

    Raises:
        DatasetError: missing, not UTF-8, empty, too few columns, or a value of the wrong type.
    """
    parts = list(stream_columns(path, kinds, delimiter, header))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def stream_columns(
    path: Path, kinds: Mapping[int | str, str], delimiter: str = " ", header: bool = False
) -> Iterator[list[np.ndarray]]:
    """`read_columns` in blocks of lines, with bounded memory."""
    import pyarrow as pa
    from pyarrow import csv

    delimiter = _delimiter(path, delimiter)
    names = _names(path, delimiter, header)
    wanted = [_name(key, names, path) for key in kinds]
    types = {"text": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32()}
    types["float64"] = pa.float64()
    columns = dict(zip(wanted, (types[kind] for kind in kinds.values()), strict=True))
    rows = 0
    try:
        with path.open("rb") as file:
            reader = csv.open_csv(
                file,
                read_options=csv.ReadOptions(block_size=_BLOCK, column_names=names, skip_rows=int(header)),
                parse_options=csv.ParseOptions(delimiter=delimiter, quote_char=False),
                convert_options=csv.ConvertOptions(
                    include_columns=wanted, column_types=columns, strings_can_be_null=False
                ),
            )
            for batch in reader:
                rows += len(batch)
                yield [_array(batch.column(name), path, name) for name in wanted]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: {_first_line(error)}") from error
    if rows == 0:
        raise DatasetError(f"{path}: the file is empty; download it again")


def _delimiter(path: Path, usual: str) -> str:
    """The usual delimiter, or the one found in the first line instead."""
    words = _first(path)
    return usual if usual in words else next((other for other in "\t,;" if other in words), usual)


def _first(path: Path) -> str:
    """The first line.

    Raises:
        DatasetError: the file is missing or not text.
    """
    try:
        with path.open("rb") as file:
            return file.readline().decode("utf-8").strip("\ufeff\r\n")
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; it is one of the data set's lists") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a readable text file") from error


def _names(path: Path, delimiter: str, header: bool) -> list[str]:
    """Names of the columns, from the header or by number."""
    words = _first(path).split(delimiter)
    if header:
        return [word.strip() or f"#{number}" for number, word in enumerate(words)]
    return [f"#{number}" for number in range(len(words))]


def _name(key: int | str, names: list[str], path: Path) -> str:
    """Name of the column given by number or name."""
    if isinstance(key, int) and key < len(names):
        return names[key]
    if isinstance(key, str) and key in names:
        return key
    column = key + 1 if isinstance(key, int) else key
    raise DatasetError(f"{path}: {len(names)} columns in line 1, but no column {column}")


def _array(column: Any, path: Path, name: str) -> np.ndarray:
    import pyarrow as pa

    if column.null_count and not pa.types.is_floating(column.type):
        raise DatasetError(f"{path}: column {name.replace('#', '')} has an empty value")
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype == object and (values == "").any():
        raise DatasetError(f"{path}: column {name.replace('#', '')} has an empty value")
    return values


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
