"""The photos of a Parquet file: one encoded image per row, as written by Hugging Face data sets and `preprocess`."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from facepipe.errors import DatasetError
from facepipe.files import PassedOver, folder_of
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet
from facepipe.images import StoredPhoto
from facepipe.tables import counted

IMAGE = "image"
"""The column: bytes, or a struct of ``bytes`` and ``path``."""
_NAMES, _PEOPLE = ("path", "file_name", "key"), ("identity", "label", "name")
_RECORDED = f"{IMAGE}.path"
_GROUPS, _ROW_BYTES = 2, 512


@dataclass(frozen=True)
class PhotoRow:
    """The location of a photo: row ``row`` of row group ``group``."""

    file: str
    group: int
    row: int

    def read(self) -> bytes:
        """The encoded image.

        Raises:
            DatasetError: the row has none.
        """
        value = _cache.column(self.file, self.group)[self.row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise DatasetError(f"no bytes in row {self.row} of row group {self.group}")
        return bytes(data)


class _RowGroupCache:
    """Caches the last row groups, since reading a row requires reading its whole group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: OrderedDict[tuple[str, int], Any] = OrderedDict()

    def column(self, file: str, group: int) -> Any:
        """The images of a row group."""
        with self._lock:
            if (file, group) not in self._columns:
                while len(self._columns) >= _GROUPS:
                    self._columns.popitem(last=False)
                with _opened(file, [IMAGE], [group]) as table:
                    self._columns[file, group] = table.read_row_group(group, columns=[IMAGE])[IMAGE]
            return self._columns[file, group]


_cache = _RowGroupCache()


def parquet_photos(file: Path, root: Path, front: str, passed: PassedOver) -> Iterator[StoredPhoto]:
    """The photos in row order, each in the folder of its identity, if there is such a column.

    The name of a photo is that in its image or in the column ``path``, else the row number; the person is that in
    ``identity``, ``label`` or ``name``, else the folder of its path.

    Args:
        file: the Parquet file, local or in a store.
        root: the root given by the user.
        front: prefix of the names.
        passed: counts files without rows.

    Raises:
        DatasetError: the file is missing or has no images.
    """
    with _opened(str(file), [*_NAMES, *_PEOPLE, _RECORDED], row_bytes=_ROW_BYTES) as table:
        schema = table.schema_arrow
        if IMAGE not in schema.names:
            raise DatasetError(
                f"{file}: no column {IMAGE!r} with encoded images; instead of a manifest, give the folder of its crops"
            )
        wanted = [name for name in (*_NAMES, *_PEOPLE) if name in schema.names]
        of_struct = pa.types.is_struct(schema.field(IMAGE).type)
        leaf = _RECORDED if of_struct else ""
        number = 0
        for group in range(table.num_row_groups):
            columns = [*wanted, leaf] if leaf else wanted
            rows = table.read_row_group(group, columns=columns).to_pylist() if columns else None
            count = table.metadata.row_group(group).num_rows
            if rows is not None and len(rows) != count:
                told = f"row group {group} has {counted(len(rows), 'row')} instead of {count}"
                raise DatasetError(f"{file}: damaged: {told}")
            for row in range(count):
                inside = _inside({} if rows is None else rows[row], number, front)
                yield StoredPhoto(str(root), inside, PhotoRow(str(file), group, row))
                number += 1
    if not number:
        passed.add("table without rows", file)


def _inside(row: dict[str, Any], number: int, front: str) -> str:
    """A unique path for a row: ``person/front-number-name``."""
    image = row.get(IMAGE)
    recorded = image.get("path") if isinstance(image, dict) else None
    path = PurePosixPath(str(recorded or next((row[name] for name in _NAMES if row.get(name)), "")) or ".")
    person = next((str(row[name]) for name in _PEOPLE if row.get(name) not in (None, "")), "")
    folder = [folder_of(person)] if person else [part for part in path.parent.parts if part not in ("/", "..")]
    return "/".join([*folder, f"{front}{number:06d}{f'-{path.name}' if path.name else '.jpg'}"])


@contextmanager
def _opened(
    file: str, columns: Sequence[str], groups: Sequence[int] | None = None, row_bytes: int = 0
) -> Iterator[Any]:
    try:
        with open_parquet(file, columns, groups, row_bytes) as table:
            yield table
    except DAMAGED_PARQUET as error:
        raise DatasetError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0][:120]})") from error
