"""Merging the manifests of a sharded job once all are complete."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from facepipe.errors import DatasetError
from facepipe.files.stored import StoredPath
from facepipe.parameters import parameter
from facepipe.preprocess.manifest import MERGED, about_of, rows_of, write_manifest
from facepipe.preprocess.report import Report, report_of
from facepipe.tables import counted

_NAME = re.compile(r"(manifest|skipped)-(\d{5})-of-(\d{5})\.(parquet|csv)")
_SHOWN = 5


def merge_shards(out: Path) -> Report:
    """Write ``manifest.parquet`` and ``skipped.csv`` of a whole job, as without shards; remove those of the shards.

    Args:
        out: the folder of the crops, which may be in a remote store.

    Raises:
        DatasetError: there are no shards, one is missing, or they belong to different jobs or lists of images.
    """
    files = [file for file, _ in out.files()] if isinstance(out, StoredPath) else [*out.glob("*-of-*")]
    parts = [(file, match) for file in files if (match := _NAME.fullmatch(file.name))]
    manifests = _complete(out, {int(m[2]): (file, int(m[3])) for file, m in parts if m[1] == "manifest"})
    found = [about_of(file) for file in manifests]
    about = dict(found[0][0])
    for file, (other, _) in zip(manifests, found, strict=True):
        differ = [key for key in about.keys() | other.keys() if about.get(key) != other.get(key)]
        if differ:
            raise DatasetError(
                f"{file}: made with a different {_named(differ[0])} from {manifests[0].name}; rerun that shard with "
                "the settings of the others"
            )
    unit = int(about.pop("unit", 256))
    about.pop("list", "")
    _check_counts(manifests, [rows for _, rows in found], unit)
    with TemporaryDirectory(prefix="facepipe-") as folder:
        merged = Path(folder) / MERGED if isinstance(out, StoredPath) else out / MERGED
        write_manifest(merged, _interleaved(manifests, unit), about)
        if isinstance(out, StoredPath):
            (out / MERGED).send(merged)
        report = replace(report_of(merged, out / "skipped.csv"), manifest=out / MERGED)
    for file, _ in parts:
        file.unlink()
    return report


def _complete(out: Path, found: dict[int, tuple[Path, int]]) -> list[Path]:
    totals = {total for _, total in found.values()}
    if not found:
        raise DatasetError(f"{out}: no manifests of shards; 'facepipe preprocess RAW OUT --shard I/N' writes them")
    if len(totals) > 1:
        numbers = " and ".join(map(str, sorted(totals)))
        raise DatasetError(
            f"{out}: manifests of jobs with {numbers} shards; "
            f"restart one with {parameter('overwrite', True)}"
        )
    total = totals.pop()
    missing = [str(number) for number in range(1, total + 1) if number not in found]
    if missing:
        which = ", ".join(missing[:_SHOWN]) + (" ..." if len(missing) > _SHOWN else "")
        done = f"{len(missing)} of {counted(total, 'shard')} not finished ({which})"
        raise DatasetError(f"{out}: {done}; run what is missing, then merge")
    return [found[number][0] for number in range(1, total + 1)]


def _check_counts(manifests: list[Path], rows: list[int], unit: int) -> None:
    """Check numbers of images: units are assigned in turn, so the total determines the size of each shard."""
    total = sum(rows)
    sizes = [min(unit, total - first) for first in range(0, total, unit)]
    for number, (file, count) in enumerate(zip(manifests, rows, strict=True)):
        if count != sum(sizes[number :: len(manifests)]):
            images = counted(count, "image")
            raise DatasetError(f"{file}: {images}, which does not fit the total of {total:,} in all shards; rerun it")


def _interleaved(manifests: list[Path], unit: int) -> Iterator[dict[str, Any]]:
    rows = [rows_of(file) for file in manifests]
    while True:
        for each in rows:
            part = list(islice(each, unit))
            yield from part
            if len(part) < unit:
                return


def _named(key: str) -> str:
    return {"list": "list of images", "faces": "face selection rule"}.get(key, key)
