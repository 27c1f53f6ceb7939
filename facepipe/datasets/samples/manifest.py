"""The Parquet manifest of ``facepipe preprocess`` as training data: one row per image."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet
from facepipe.images import read_encoded
from facepipe.tables import counted

COLUMNS = ("crops", "identity")


def open_manifest(path: str | os.PathLike[str]) -> Samples:
    """The crops of all rows with an identity, from a ``.parquet`` file or a folder of them (shards).

    The column ``crops`` lists the files of a row's crops, relative to the folder of the manifest; it may be empty.

    Raises:
        DatasetError: not a Parquet file, a column is missing, or no row has a crop and an identity.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    files, names = _read(path)
    named = pc.and_(pc.is_valid(names), pc.not_equal(names, ""))
    unnamed = len(files) - int(pc.sum(named).as_py() or 0)
    files, names = files.filter(named), names.filter(named)
    notes = (f"{path}: {counted(unnamed, 'crop without an identity')} left out",) if unnamed else ()

    def read(index: int) -> bytes:
        return read_encoded(Path(root, files[index].as_py()))

    return from_names(
        str(path),
        _shared(names),
        read,
        lambda index: str(root / files[index].as_py()),
        notes,
        lambda index: size_of(root / files[index].as_py()),
    )


def _shared(names: pa.Array) -> list[str]:
    """The names, with one string object per distinct name: manifests have millions of rows."""
    encoded = names.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    return [known[index] for index in encoded.indices.to_pylist()]


def _read(path: Path) -> tuple[pa.Array, pa.Array]:
    """The files of all crops, and the identity of each."""
    # The folder of a manifest also holds the crops.
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    try:
        table = pa.concat_tables([_columns(file) for file in files], promote_options="permissive")
        table.validate(full=True)  # otherwise invalid UTF-8 would be detected only when it is used
        crops = table["crops"].combine_chunks()
        names = table["identity"].cast(pa.string()).combine_chunks().take(pc.list_parent_indices(crops))
        return pc.list_flatten(crops).cast(pa.large_string()), names
    except DAMAGED_PARQUET as error:
        reason = str(error).splitlines()[0][:120]
        raise DatasetError(f"{path}: not a Parquet manifest ({reason}); write it again") from error


def _columns(file: Path) -> pa.Table:
    with open_parquet(file, COLUMNS) as table:
        missing = [column for column in COLUMNS if column not in table.schema_arrow.names]
        if missing:
            raise DatasetError(f"{file}: no column {', '.join(missing)}; is it a manifest of facepipe preprocess?")
        return table.read(list(COLUMNS))
