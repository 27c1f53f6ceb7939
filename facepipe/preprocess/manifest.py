"""The record of a preprocessed dataset: one row per image, in Parquet."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.datasets.samples.cut import METADATA
from facepipe.errors import DatasetError
from facepipe.files import replacing
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet

_FLOATS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("identity", pa.string()),
        ("crops", pa.list_(pa.string())),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("faces", pa.int32()),
        ("boxes", pa.list_(_FLOATS)),
        ("landmarks", pa.list_(pa.list_(_FLOATS))),
        ("scores", _FLOATS),
        ("search", pa.string()),
        ("chosen", pa.list_(pa.int32())),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("remarks", pa.list_(pa.string())),
    ]
)
"""``path`` and ``crops`` are relative to the raw and the output folder; ``status`` is ok, aligned, centre, no_face or
error. ``boxes``, ``landmarks`` and ``scores`` hold all faces, ``chosen`` those that were cropped; ``search`` is the
search that found them, see `facepipe.detection.Faces`; ``remarks`` are notes on the image, see
`facepipe.images.Picture`."""
_ROWS, _BUFFER = 10_000, 1 << 20
MERGED = "manifest.parquet"
"""Name of the manifest of all images."""


def write_manifest(path: Path, records: Iterable[dict[str, Any]], about: dict[str, Any]) -> None:
    """Write records to a Parquet file, a few thousand rows in memory at a time.

    Args:
        path: the file.
        records: one per image.
        about: how the crops were made, plain JSON values for the file's metadata (see `Plan.about`).
    """
    rest = iter(records)
    schema = SCHEMA.with_metadata({METADATA: json.dumps(about).encode()})
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while rows := list(islice(rest, _ROWS)):
            writer.write_table(pa.Table.from_pylist([_clean(row) for row in rows], schema))


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    # A file name need not be valid UTF-8, but a Parquet string must be.
    names = {key: _utf8(row[key]) for key in ("path", "identity", "reason")}
    remarks = row.get("remarks", [])  # missing in older journals
    return row | names | {"crops": [_utf8(crop) for crop in row["crops"]], "remarks": remarks}


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def read_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a preprocessed dataset's manifest, or of those of all its shards, in order.

    Raises:
        DatasetError: ``folder`` has no manifest, or it is damaged.
    """
    files = sorted(folder.glob("manifest*.parquet"))
    if not files:
        raise DatasetError(f"{folder}: contains no manifest; 'facepipe preprocess RAW {folder}' writes one at the end")
    for file in files:
        yield from rows_of(file)


def about_of(file: Path) -> tuple[dict[str, Any], int]:
    """How the crops of a manifest were made, and its number of rows.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        with open_parquet(file, columns=()) as table:
            return json.loads((table.schema_arrow.metadata or {})[METADATA]), int(table.metadata.num_rows)
    except (*DAMAGED_PARQUET, KeyError) as error:
        raise DatasetError(f"{file}: damaged; run 'facepipe preprocess' again to rewrite it") from error


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of one manifest file, with a few thousand in memory at a time.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        # pre_buffer would keep all rows that were read; a buffer reads a column piece by piece.
        with open_parquet(file, pre_buffer=False, buffer_size=_BUFFER) as table:
            for batch in table.iter_batches(_ROWS):
                yield from batch.to_pylist()
    except DAMAGED_PARQUET as error:
        raise DatasetError(f"{file}: damaged; run 'facepipe preprocess' again to rewrite it") from error
