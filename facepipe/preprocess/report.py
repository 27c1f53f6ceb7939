"""The report of a finished job."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.files import replacing
from facepipe.preprocess.manifest import rows_of


@dataclass(frozen=True)
class Report:
    """The outcome of a finished job: images by status, and where its records are.

    Attributes:
        total: number of images.
        statuses: status → number of images.
        crops: number of crops written, in this and earlier runs.
        manifest: the Parquet file.
        skipped: list of images without a crop, or None.
        remarks: image → notes on it.
        changes: changes since the last run: counts of new, changed, vanished and touched images.
        passed_over: reason → count and example of ignored files.
        identities: number of people with a crop.
        layout: a remark if other folder levels seem to name the people; or empty.
    """

    total: int
    statuses: dict[str, int]
    crops: int
    manifest: Path
    skipped: Path | None
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, Any] = field(default_factory=dict)
    identities: int = 0
    layout: str = ""


def report_of(manifest: Path, skipped: Path) -> Report:
    """Count a manifest's rows by status, and list the images left out.

    Args:
        manifest: the Parquet file.
        skipped: the CSV file of images without a crop, written only if there are any.
    """
    statuses: Counter[str] = Counter()
    crops = 0
    people: set[str] = set()
    remarks: dict[str, tuple[str, ...]] = {}
    with replacing(skipped) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "status", "reason"])
        for row in rows_of(manifest):
            statuses[row["status"]] += 1
            crops += len(row["crops"])
            people.update([row["identity"]] if row["crops"] and row["identity"] else [])
            if row["remarks"]:
                remarks[row["path"]] = tuple(row["remarks"])
            if not row["crops"]:
                table.writerow([row["path"], row["status"], row["reason"]])
    left_out = sum(statuses[status] for status in ("error", "no_face"))
    if not left_out:
        skipped.unlink()
    where = skipped if left_out else None
    return Report(sum(statuses.values()), dict(statuses), crops, manifest, where, remarks, identities=len(people))
