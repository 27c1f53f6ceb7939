"""The job itself: units of images through the pipeline, crops on disk, a journal, a manifest at the end."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.alignment import Aligner, template
from facepipe.detection import DetectorSettings, create_detector
from facepipe.errors import DatasetError
from facepipe.files import replacing, write_bytes, write_text
from facepipe.images import encode_rgb
from facepipe.pipeline import CroppedImage, Cropper, read_batches
from facepipe.preprocess.journal import Journal, check_settings, same_settings
from facepipe.preprocess.manifest import rows_of, write_manifest
from facepipe.preprocess.scan import length, scan, units

UNIT = 256
"""Images per unit of work. Units have fixed members, so a resumed job sees the same batches, hence writes the
same bytes, as one that was never interrupted."""


@dataclass(frozen=True)
class Plan:
    """What to do with a dataset.

    Attributes:
        root, out: the raw images and the folder for the crops.
        template: name of an alignment template, see `facepipe.alignment.TEMPLATES`.
        rule: which face of several, see `facepipe.detection.choose`.
        on_miss: ``drop`` images without a face, or crop their ``centre``.
        detection: None takes images as aligned crops.
        suffix, quality: format of the crops, ``.jpg``, ``.png`` or ``.webp``, and its quality from 1 to 100.
        shard: (i, n): do the i-th of n parts, i from 1.
    """

    root: Path
    out: Path
    template: str = "112x112"
    rule: str = "centre"
    on_miss: str = "drop"
    detection: DetectorSettings | None = field(default_factory=DetectorSettings)
    suffix: str = ".jpg"
    quality: int = 95
    shard: tuple[int, int] = (1, 1)

    def settings(self) -> dict[str, Any]:
        """What must be equal for a job to be resumed, as plain JSON values."""
        return {
            "root": str(self.root.resolve()),
            "template": template(self.template).identity,
            "faces": self.rule,
            "on_miss": self.on_miss,
            "detection": None if self.detection is None else self.detection.to_dict(),
            "format": self.suffix,
            "quality": self.quality,
            "shards": self.shard[1],
        }

    def about(self) -> dict[str, Any]:
        """What the manifest records of how the crops were made; images taken as crops have no ``template``."""
        kept = {name: value for name, value in self.settings().items() if name not in ("root", "shards")}
        return kept if self.detection is not None else kept | {"template": None}


@dataclass(frozen=True)
class Report:
    """What a finished job did: images by status, and where its records lie."""

    total: int
    statuses: dict[str, int]
    crops: int
    manifest: Path
    skipped: Path | None


def preprocess(
    plan: Plan,
    device: str = "auto",
    overwrite: bool = False,
    begun: Callable[[int, int], None] = lambda _total, _done: None,
    advance: Callable[[int], None] = lambda _count: None,
) -> Report:
    """Detect and align every image under ``plan.root``.

    Writes ``out/identity/image.jpg``, and at the end ``out/manifest.parquet`` (see `manifest.SCHEMA`) and,
    when images were left out, ``out/skipped.csv``. Can be killed at any moment and called again: finished
    units of 256 images are not done again, and the outcome is the same to the byte.

    Args:
        plan: what to do.
        device: of the detector.
        overwrite: forget what an earlier job did in ``out`` (its crops stay until they are written anew). Of a
            job in shards only this shard is forgotten, unless the settings differ from those before.
        begun: called once with the number of images and how many of them were done before.
        advance: called with the number of images that each step finished.

    Raises:
        DatasetError: nothing to do, other settings than those of the job begun in ``out``, a bad shard, another
            process at the same job.
    """
    part, parts = plan.shard
    if not 1 <= part <= parts:
        raise DatasetError(f"shard {part}/{parts}: must be i/n with i from 1 to n")
    if plan.root.resolve().is_relative_to(plan.out.resolve()):
        raise DatasetError(f"{plan.out}: crops must not go where the raw images are or above; name another folder")
    work = plan.out / ".facepipe"
    if overwrite:
        _forget(plan, work)
    listing = work / f"images{_tail(plan)}.jsonl"
    if not check_settings(work / "settings.json", plan.settings()) or not listing.exists():
        # The listing comes first: settings on disk then promise a whole list.
        scan(plan.root, plan.out, listing)
        write_text(work / "settings.json", json.dumps(plan.settings(), indent=2) + "\n")
    journal = Journal(work / f"journal{_tail(plan)}.jsonl")
    try:
        _work_off(plan, listing, journal, device, begun, advance)
    finally:
        journal.close()
    manifest = plan.out / f"manifest{_tail(plan)}.parquet"
    write_manifest(manifest, journal.records(), plan.about())
    return _report(plan, manifest)


def _forget(plan: Plan, work: Path) -> None:
    """Remove the records of what is to be done anew; other shards of the same job keep theirs."""
    if plan.shard[1] > 1 and same_settings(work / "settings.json", plan.settings()):
        tail = _tail(plan)
        records = [work / f"images{tail}.jsonl", work / f"journal{tail}.jsonl"]
        records += [plan.out / f"manifest{tail}.parquet", plan.out / f"skipped{tail}.csv"]
    else:
        shutil.rmtree(work, ignore_errors=True)
        # Those of another number of shards would be taken for this job's.
        records = [*plan.out.glob("manifest*.parquet"), *plan.out.glob("skipped*.csv")]
    for record in records:
        record.unlink(missing_ok=True)


def _tail(plan: Plan) -> str:
    part, parts = plan.shard
    return "" if parts == 1 else f"-{part:05d}-of-{parts:05d}"


def _work_off(
    plan: Plan,
    listing: Path,
    journal: Journal,
    device: str,
    begun: Callable[[int, int], None],
    advance: Callable[[int], None],
) -> None:
    part, parts = plan.shard
    closed = journal.open()
    total = length(listing)
    mine = [(first, min(UNIT, total - first)) for first in range(0, total, UNIT)][part - 1 :: parts]
    begun(sum(size for _, size in mine), sum(size for _, size in mine[:closed]))
    if closed >= len(mine):
        return
    cropper = _cropper(plan, device)
    own = (unit for number, unit in enumerate(units(listing, UNIT)) if number % parts == part - 1)
    for number, unit in enumerate(own):
        if number >= closed:
            journal.append(_do_unit(plan, cropper, unit, advance))


def _cropper(plan: Plan, device: str) -> Cropper:
    detector = None if plan.detection is None else create_detector(plan.detection, device)
    return Cropper(Aligner(plan.template), detector, plan.rule, plan.on_miss)


def _do_unit(
    plan: Plan, cropper: Cropper, unit: list[tuple[str, str]], advance: Callable[[int], None]
) -> list[dict[str, Any]]:
    names = iter(unit)
    records = []
    for batch in read_batches(plan.root / path if plan.root.is_dir() else plan.root for path, _ in unit):
        for result in cropper(batch):
            path, crop = next(names)
            records.append(_record(result, path, _write_crops(plan, result, crop)))
        advance(len(batch))
    return records


def _write_crops(plan: Plan, result: CroppedImage, name: str) -> list[str]:
    written = []
    for number, crop in enumerate(result.crops):
        tail = f"_{number}" if plan.rule == "all" else ""
        relative = f"{name}{tail}{plan.suffix}"
        write_bytes(plan.out / relative, encode_rgb(crop, plan.suffix, plan.quality))
        written.append(relative)
    return written


def _record(result: CroppedImage, path: str, crops: list[str]) -> dict[str, Any]:
    return {
        "path": path,
        "identity": Path(path).parent.name,
        "crops": crops,
        "height": result.size[0],
        "width": result.size[1],
        "faces": len(result.faces),
        "boxes": result.faces.boxes.tolist(),
        "landmarks": result.faces.landmarks.tolist(),
        "scores": result.faces.scores.tolist(),
        "search": result.faces.search,
        "chosen": result.chosen.tolist(),
        "status": result.status,
        "reason": result.reason,
    }


def _report(plan: Plan, manifest: Path) -> Report:
    """Count what the manifest says, and list what was left out."""
    statuses: Counter[str] = Counter()
    crops = 0
    skipped = plan.out / f"skipped{_tail(plan)}.csv"
    with replacing(skipped) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "status", "reason"])
        for row in rows_of(manifest):
            statuses[row["status"]] += 1
            crops += len(row["crops"])
            if not row["crops"]:
                table.writerow([row["path"], row["status"], row["reason"]])
    left_out = sum(statuses[status] for status in ("error", "no_face"))
    if not left_out:
        skipped.unlink()
    return Report(sum(statuses.values()), dict(statuses), crops, manifest, skipped if left_out else None)
