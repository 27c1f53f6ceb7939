"""The Parquet manifest that ``facepipe preprocess`` writes: one row for each face or failure."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facepipe.datasets.samples import Samples, from_names
from facepipe.errors import DatasetError

COLUMNS = ("crop", "identity", "status")


def open_manifest(path: str | os.PathLike[str]) -> Samples:
    """Crops with status ``ok`` and an identity, from a ``.parquet`` file or a folder of them.

    The column ``crop`` names the file of the crop, relative to the folder of the manifest.

    Raises:
        DatasetError: not a Parquet file, a column is missing, or no row has a crop and an identity.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    try:
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        missing = [column for column in COLUMNS if column not in pq.read_schema(files[0]).names]
        if missing:
            absent = ", ".join(missing)
            raise DatasetError(f"{path}: no column {absent}; is it a manifest of facepipe preprocess?")
        table = pa.concat_tables([pq.read_table(file, columns=list(COLUMNS)) for file in files])
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise DatasetError(f"{path}: not a Parquet manifest ({reason}); write it again") from error
    named = pc.and_(pc.is_valid(table["identity"]), pc.is_valid(table["crop"]))
    good = table.filter(pc.and_(pc.equal(table["status"], "ok"), named))
    crops = good["crop"].cast(pa.large_string()).combine_chunks()
    unnamed = int(pc.sum(pc.equal(table["status"], "ok")).as_py() or 0) - len(good)
    notes = (f"{path}: {unnamed} crop(s) without an identity left out",) if unnamed else ()

    def read(index: int) -> bytes:
        return Path(root, crops[index].as_py()).read_bytes()

    names = good["identity"].cast(pa.string()).to_pylist()
    return from_names(str(path), names, read, lambda index: str(root / crops[index].as_py()), notes)
