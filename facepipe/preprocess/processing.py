"""Processing the units of a preprocessing job: images in, crops and records out, here or on workers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise, tee
from typing import Any

from facepipe.alignment import Aligner
from facepipe.detection import create_detector
from facepipe.files import identity_of
from facepipe.images import encode_rgb, read_marked
from facepipe.pipeline import STEP, CroppedImage, Cropper, read_batches
from facepipe.preprocess.begun_pack import BegunPack
from facepipe.preprocess.journal import Journal
from facepipe.preprocess.packs import PackedCrops, open_packs, pack_name
from facepipe.preprocess.plan import Plan
from facepipe.preprocess.scan import Listed, length, units
from facepipe.preprocess.update import Records
from facepipe.workers import OnRay

STEP_SECONDS = 5.0
"""Interval after which, at the end of a batch, finished work is saved; an interruption loses no more than this."""
BEGUN = "begun"
"""Start of the names of files with unfinished packs."""


def process_units(
    plan: Plan,
    records: Records,
    journal: Journal,
    closed: int,
    device: str,
    begun: Callable[[int, int], None],
    advance: Callable[[int], None],
    on: OnRay | None,
) -> None:
    """Process the units after the first ``closed`` ones, here or on workers, and record them in the journal.

    Args:
        plan: of the job.
        records: its lists.
        journal: of the job, open.
        closed: number of units already done.
        device: of the detector.
        begun, advance, on: see `facepipe.preprocess.job.preprocess`.
    """
    part, parts = plan.shard
    total = length(records.to_do)
    before = sum(1 for _ in records.kept_records())
    own_units = [(first, min(plan.unit, total - first)) for first in range(0, total, plan.unit)][part - 1 :: parts]
    sizes = [size for _, size in own_units]
    begun(before + sum(sizes), before + sum(sizes[:closed]) + journal.begun())
    if closed >= len(own_units):
        return
    left = islice(enumerate(units(records.to_do, plan.unit)), part - 1 + closed * parts, None, parts)
    if on is None:
        _work_here(plan, left, journal, device, advance)
        return
    steps, submitted = tee(_steps(plan, left, journal.begun()))
    work = ((step.number, step.images) for step in submitted)
    done_by = on.map(partial(_worker, plan, device), work, device, lambda unit: str(unit[1][0].photo(plan.root)))
    for step, done in zip(steps, done_by, strict=True):
        journal.append(done, closes=step.closes)
        advance(len(done))


@dataclass(frozen=True)
class _Step:
    """A piece of work for a worker: images of a unit, and whether they complete the unit."""

    number: int
    images: list[Listed]
    closes: bool


def _steps(plan: Plan, left: Iterator[tuple[int, list[Listed]]], skip: int) -> Iterator[_Step]:
    """The units in steps, the first without images already done; a pack is one step."""
    for number, unit in left:
        ends = [len(unit)] if plan.pack else [*range(skip - skip % STEP + STEP, len(unit), STEP), len(unit)]
        for first, last in pairwise([skip, *ends]):
            yield _Step(number, unit[first:last], last == len(unit))
        skip = 0


def _work_here(
    plan: Plan,
    left: Iterator[tuple[int, list[Listed]]],
    journal: Journal,
    device: str,
    advance: Callable[[int], None],
) -> None:
    """Process units in this process; in units of single files, finished work is saved every few seconds."""
    cropper = _cropper(plan, device)
    skip = journal.begun()
    for number, unit in left:
        done: list[dict[str, Any]] = []
        kept = time.monotonic()
        if plan.pack:
            journal.append(_make_pack(plan, cropper, number, unit, advance))
            continue
        with open_packs(plan.out, "", number) as crops:
            # Saves end with a batch, so that after an interruption the remaining batches are the same.
            for records in _records(plan, cropper, unit[skip:], crops, skip):
                done += records
                if time.monotonic() - kept >= STEP_SECONDS:
                    journal.append(done, closes=False)
                    done, kept = [], time.monotonic()
                advance(len(records))
        journal.append(done)
        skip = 0


def _make_pack(
    plan: Plan,
    cropper: Cropper,
    number: int,
    images: list[Listed],
    advance: Callable[[int], None] = lambda _count: None,
) -> list[dict[str, Any]]:
    """Make a pack of these images, resuming an interrupted run; returns their records."""
    name = pack_name(plan.pack, number)
    begun = BegunPack(plan.work / f"{BEGUN}{plan.tail}-{number:06d}", name, STEP_SECONDS)
    records = begun.open(images)
    if records:
        advance(len(records))
    for batch in _records(plan, cropper, images[len(records) :], begun, len(records)):
        records += batch
        begun.keep(batch)
        advance(len(batch))
    begun.keep([], now=True)
    with open_packs(plan.out, plan.pack, number) as crops:
        begun.copy_to(crops)
    begun.remove()
    return records


def _cropper(plan: Plan, device: str) -> Cropper:
    detector = None if plan.detection is None else create_detector(plan.detection, device)
    return Cropper(Aligner(plan.template), detector, plan.rule, plan.on_miss)


def _worker(plan: Plan, device: str) -> Callable[[tuple[int, list[Listed]]], list[dict[str, Any]]]:
    """A function that processes a unit, given its number and images: writes its crops and returns its records."""
    cropper = _cropper(plan, device)

    def work(unit: tuple[int, list[Listed]]) -> list[dict[str, Any]]:
        if plan.pack:
            return _make_pack(plan, cropper, *unit)
        with open_packs(plan.out, "", unit[0]) as crops:
            return [record for records in _records(plan, cropper, unit[1], crops) for record in records]

    return work


def _records(
    plan: Plan, cropper: Cropper, unit: list[Listed], crops: PackedCrops, before: int = 0
) -> Iterator[list[dict[str, Any]]]:
    """Write the crops of each batch and yield its records; ``before`` images of the unit are already done."""
    names = iter(unit)
    paths = [image.photo(plan.root) for image in unit]
    for batch in read_batches(paths, read=partial(read_marked, strict=plan.strict), before=before):
        records = []
        for read, result in zip(batch, cropper(batch), strict=True):
            image = next(names)
            record = _record(result, image.path, _write_crops(plan, result, image, crops))
            records.append(record | {"mark": [image.mark.size, image.mark.mtime, read.mark.digest]})
        yield records


def _write_crops(plan: Plan, result: CroppedImage, image: Listed, crops: PackedCrops) -> list[str]:
    written = []
    known: dict[str, Any] = {"identity": identity_of(image.path, plan.identity_depth), "path": image.path}
    for number, crop in enumerate(result.crops):
        tail = f"_{number}" if plan.rule == "all" else ""
        about = known | (_face(result, number) if len(result.chosen) else {})
        encoded = encode_rgb(crop, plan.suffix, plan.quality)
        written.append(crops.add(f"{image.crop}{tail}{plan.suffix}", encoded, about))
    return written


def _face(result: CroppedImage, number: int) -> dict[str, Any]:
    index = result.chosen[number]
    faces = result.faces
    return {
        "box": faces.boxes[index].tolist(),
        "landmarks": faces.landmarks[index].tolist(),
        "score": float(faces.scores[index]),
    }


def _record(result: CroppedImage, path: str, crops: list[str]) -> dict[str, Any]:
    return {
        "path": path,
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
        "remarks": list(result.remarks),
    }
