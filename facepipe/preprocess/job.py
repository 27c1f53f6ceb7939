"""The job itself: units of images through the pipeline, crops on disk, a journal, a manifest at the end."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from itertools import islice, pairwise, tee
from pathlib import Path
from typing import Any

from facepipe.alignment import Aligner, template
from facepipe.detection import DetectorSettings, create_detector
from facepipe.errors import DatasetError
from facepipe.files import Changes, Layout, OutputError, PassedOver, identity_of, require_apart, write_text
from facepipe.files.fingerprint import digest_of, digest_of_bytes
from facepipe.files.stored import StoredPath
from facepipe.images import encode_rgb, is_collection, read_marked
from facepipe.parameters import parameter
from facepipe.pipeline import STEP, UNIT, CroppedImage, Cropper, read_batches
from facepipe.preprocess.begun_pack import BegunPack
from facepipe.preprocess.journal import Journal, check_settings, same_settings
from facepipe.preprocess.manifest import MERGED, write_manifest
from facepipe.preprocess.packs import PackedCrops, open_packs, pack_name, packs_in
from facepipe.preprocess.report import Report, report_of
from facepipe.preprocess.scan import Listed, length, read_listing, scan, units
from facepipe.preprocess.update import NOTHING, Records, update
from facepipe.tables import counted
from facepipe.weights import cache_folder
from facepipe.workers import OnRay

STEP_SECONDS = 5.0
"""After so long, at the end of a batch, what is done of a unit is kept: no more is lost when the job is cut off."""
_BEGUN = "begun"


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
        strict: refuse images that are damaged inside.
        identity_depth: which folder below ``root`` stands for the person, 1 for the top one.
        pack: ``tar`` or ``parquet``: crops go to files of many, see `facepipe.preprocess.packs`; empty: one file each.
        pack_size: images of a pack.
        pages: every page, frame or picture of a file is an image, not the first alone.
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
    strict: bool = False
    identity_depth: int = 1
    pack: str = ""
    pack_size: int = 4096
    pages: bool = False

    @property
    def unit(self) -> int:
        """Images of a unit of work."""
        return self.pack_size if self.pack else UNIT

    @property
    def work(self) -> Path:
        """The folder of the job's records: in ``out``, for a store in the cache of this machine."""
        if isinstance(self.out, StoredPath):
            return cache_folder() / "jobs" / digest_of_bytes(str(self.out).encode())
        return self.out / ".facepipe"

    def settings(self) -> dict[str, Any]:
        """What must be equal for a job to be resumed, as plain JSON values."""
        # Jobs of before these options have no entry, were not strict and read first pages.
        strict = ({"strict": True} if self.strict else {}) | ({"pages": "all"} if self.pages else {})
        # A pack holds the person too.
        packed = {"pack": self.pack, "pack_size": self.pack_size, "identity_depth": self.identity_depth}
        return strict | (packed if self.pack else {}) | {
            "root": str(self.root) if isinstance(self.root, StoredPath) else str(self.root.resolve()),
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


def preprocess(
    plan: Plan,
    device: str = "auto",
    overwrite: bool = False,
    begun: Callable[[int, int], None] = lambda _total, _done: None,
    advance: Callable[[int], None] = lambda _count: None,
    frozen: bool = False,
    passed: PassedOver | None = None,
    changed: Callable[[Changes], None] = lambda _changes: None,
    on: OnRay | None = None,
    verify: bool = False,
) -> Report:
    """Detect and align every image under ``plan.root``.

    Writes ``out/identity/image.jpg``, or ``out/crops-000000.tar`` and so on, and at the end ``out/manifest.parquet``
    (see `manifest.SCHEMA`) and, when images were left out, ``out/skipped.csv``. Can be killed at any moment and called
    again: what was finished is not done again, but for the last five seconds or the last batch of 64 (of each worker),
    and the outcome is the same to the byte.

    Args:
        plan: what to do.
        device: of the detector.
        overwrite: forget what an earlier job did in ``out`` (its crops stay until they are written anew). Of a
            job in shards only this shard is forgotten, unless the settings differ from those before.
        begun: called once with the number of images and how many of them were done before.
        advance: called with the number of images that each step finished.
        frozen: go on with the list of images that the job was begun with; otherwise, images that came later or have
            changed are done, and those that have vanished lose their crops and their rows.
        passed: counts what is not looked at.
        changed: called with what is different from the run before, if anything is.
        on: workers that do the units; they write the crops, so they must see both folders. None: this process.
        verify: compare the contents of all images with those of the run before, not only where size or time differ.

    Raises:
        OutputError: a crop would replace an image, or a file that no earlier job made.
        DatasetError: nothing to do, other settings than those of the job begun in ``out``, a bad shard, another
            process at the same job.
    """
    part, parts = plan.shard
    if not 1 <= part <= parts:
        raise DatasetError(f"shard {part}/{parts}: must be i/n with i from 1 to n")
    if not is_collection(plan.root) and plan.root.resolve().is_relative_to(plan.out.resolve()):
        raise DatasetError(f"{plan.out}: crops must not go where the raw images are or above; name another folder")
    if isinstance(plan.out, StoredPath) and not plan.pack:
        packs = f"{parameter('pack', 'tar')} or {parameter('pack', 'parquet')}"
        raise DatasetError(f"{plan.out}: crops go to a store in packs only; say {packs}")
    work = plan.work
    if overwrite:
        _forget(plan, work)
    passed = PassedOver() if passed is None else passed
    tail = _tail(plan)
    records = Records(*(work / f"{name}{tail}.jsonl" for name in ("images", "todo", "kept")))
    begun_before = check_settings(work / "settings.json", plan.settings(), plan.out)
    ready = begun_before and records.images.exists()
    now = work / f"images{tail}.new.jsonl"
    if not ready:
        # The listing comes first: settings on disk then promise a whole list.
        scan(plan.root, plan.out, records.images, passed, plan.pages)
        if not begun_before:
            _check_crops(plan, records.images, overwrite)
        write_text(work / "settings.json", json.dumps(plan.settings(), indent=2) + "\n")
    elif not frozen:
        scan(plan.root, plan.out, now, passed, plan.pages)
    journal = Journal(work / f"journal{tail}.jsonl")
    changes = NOTHING
    try:
        closed = journal.open()
        if plan.pack:
            _require_packs(plan, closed)
        if ready and not frozen:
            changes = update(plan.root, plan.out, records, journal, now, parts == 1 and not plan.pack, verify)
            closed = journal.closed()
        if changes or changes.touched:
            changed(changes)
        _work_off(plan, records, journal, closed, device, begun, advance, on)
    finally:
        journal.close()
        now.unlink(missing_ok=True)
    manifest = plan.out / f"manifest{tail}.parquet"
    written = work / manifest.name if isinstance(manifest, StoredPath) else manifest
    layout = Layout(plan.identity_depth)
    # The person is no part of the work that was done, so that another depth takes no new work.
    rows = (row | {"identity": layout.identity(row["path"])} for row in records.all_records(journal))
    about = plan.about()
    if parts > 1:
        about |= {"unit": plan.unit, "list": digest_of(records.images)}  # `merge` compares
        (plan.out / MERGED).unlink(missing_ok=True)
    write_manifest(written, rows, about)
    if isinstance(manifest, StoredPath):
        manifest.send(written)
    return replace(
        report_of(written, plan.out / f"skipped{tail}.csv"),
        manifest=manifest,
        changes=changes.counts(),
        passed_over=passed.to_dict(),
        layout="; ".join(filter(None, (layout.remark(), layout.nobody()))),
    )


def _check_crops(plan: Plan, listing: Path, overwrite: bool) -> None:
    """A first run finds no crops; what is there under their names is somebody else's."""
    if plan.pack:
        _check_packs(plan, listing, overwrite)
        return
    tail = "_0" if plan.rule == "all" else ""
    crops = (plan.out / f"{image.crop}{tail}{plan.suffix}" for image in read_listing(listing))
    there = [crop for crop in crops if crop.exists() or crop.is_symlink()]
    if not there:
        return
    try:
        raw = [plan.root / image.path for image in read_listing(listing)] if plan.root.is_dir() else [plan.root]
        require_apart(there, raw, overwrite)
    except OutputError:
        listing.unlink()
        raise


def _check_packs(plan: Plan, listing: Path, overwrite: bool) -> None:
    part, parts = plan.shard
    mine = {pack_name(plan.pack, unit) for unit in range(part - 1, -(-length(listing) // plan.unit), parts)}
    there = [pack for pack in packs_in(plan.out) if parts == 1 or pack.name in mine]
    if there and not overwrite:
        listing.unlink()
        raise OutputError(
            f"{there[0]}: is there already, and no job is known here that made it; choose another folder, or replace "
            f"what is there with {parameter('overwrite', True)}"
        )
    for pack in there:
        pack.unlink()


def _require_packs(plan: Plan, closed: int) -> None:
    """Refuse to take for done what is no longer there."""
    part, parts = plan.shard
    there = {pack.name for pack in packs_in(plan.out)} if closed else set()
    missing = [name for unit in range(closed) if (name := pack_name(plan.pack, part - 1 + unit * parts)) not in there]
    if missing:
        raise DatasetError(
            f"{plan.out}: not found: {len(missing)} of the {counted(closed, 'pack')} that this job wrote "
            f"({missing[0]}); put them back, or start over with {parameter('overwrite', True)}"
        )


def _forget(plan: Plan, work: Path) -> None:
    """Remove the records of what is to be done anew; other shards of the same job keep theirs.

    Raises:
        DatasetError: another process is at a job whose records would be removed.
    """
    alone = plan.shard[1] > 1 and same_settings(work / "settings.json", plan.settings())
    held = [Journal(path) for path in work.glob(f"journal{_tail(plan) if alone else '*'}.jsonl")]
    try:
        for journal in held:
            journal.open()
        _remove_records(plan, work, alone)
    finally:
        for journal in held:
            journal.close()


def _remove_records(plan: Plan, work: Path, alone: bool) -> None:
    if alone:
        tail = _tail(plan)
        records = [work / f"{name}{tail}.jsonl" for name in ("images", "todo", "kept", "journal")]
        records += work.glob(f"{_BEGUN}{tail}-*")
        records += [plan.out / f"manifest{tail}.parquet", plan.out / f"skipped{tail}.csv"]
    else:
        shutil.rmtree(work, ignore_errors=True)
        # Those of another number of shards would be taken for this job's.
        stored = [file for file, _ in plan.out.files()] if isinstance(plan.out, StoredPath) else [*plan.out.glob("*.*")]
        ours = ("manifest*.parquet", "skipped*.csv")
        records = [path for path in stored if any(fnmatch(path.name, pattern) for pattern in ours)]
    for record in records:
        record.unlink(missing_ok=True)


def _tail(plan: Plan) -> str:
    part, parts = plan.shard
    return "" if parts == 1 else f"-{part:05d}-of-{parts:05d}"


def _work_off(
    plan: Plan,
    records: Records,
    journal: Journal,
    closed: int,
    device: str,
    begun: Callable[[int, int], None],
    advance: Callable[[int], None],
    on: OnRay | None,
) -> None:
    part, parts = plan.shard
    total = length(records.to_do)
    before = sum(1 for _ in records.kept_records())
    mine = [(first, min(plan.unit, total - first)) for first in range(0, total, plan.unit)][part - 1 :: parts]
    begun(before + sum(size for _, size in mine), before + sum(size for _, size in mine[:closed]) + journal.begun())
    if closed >= len(mine):
        return
    left = islice(enumerate(units(records.to_do, plan.unit)), part - 1 + closed * parts, None, parts)
    if on is None:
        _work_here(plan, left, journal, device, advance)
        return
    steps, asked = tee(_steps(plan, left, journal.begun()))
    work = ((step.number, step.images) for step in asked)
    done_by = on.map(partial(_worker, plan, device), work, device, lambda unit: str(unit[1][0].photo(plan.root)))
    for step, done in zip(steps, done_by, strict=True):
        journal.append(done, closes=step.closes)
        advance(len(done))


@dataclass(frozen=True)
class _Step:
    """What a worker is given: images of a unit, and whether the unit ends with them."""

    number: int
    images: list[Listed]
    closes: bool


def _steps(plan: Plan, left: Iterator[tuple[int, list[Listed]]], skip: int) -> Iterator[_Step]:
    """The units in steps, the first without the images that are done; a pack is one step."""
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
    """Unit by unit in this process; of a unit of single files every few seconds what is done so far is kept."""
    cropper = _cropper(plan, device)
    skip = journal.begun()
    for number, unit in left:
        done: list[dict[str, Any]] = []
        kept = time.monotonic()
        if plan.pack:
            journal.append(_make_pack(plan, cropper, number, unit, advance))
            continue
        with open_packs(plan.out, "", number) as crops:
            # What is done ends with a batch, so that what follows is cut into the same batches as without a break.
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
    """Make a pack of these images, going on where an earlier run was cut off; returns their records."""
    name = pack_name(plan.pack, number)
    begun = BegunPack(plan.work / f"{_BEGUN}{_tail(plan)}-{number:06d}", name, STEP_SECONDS)
    records = begun.open(images)
    if records:
        advance(len(records))
    for batch in _records(plan, cropper, images[len(records) :], begun, len(records)):
        records += batch
        begun.keep(batch)
        advance(len(batch))
    begun.keep([], now=True)
    with open_packs(plan.out, plan.pack, number) as crops:
        begun.fill(crops)
    begun.remove()
    return records


def _cropper(plan: Plan, device: str) -> Cropper:
    detector = None if plan.detection is None else create_detector(plan.detection, device)
    return Cropper(Aligner(plan.template), detector, plan.rule, plan.on_miss)


def _worker(plan: Plan, device: str) -> Callable[[tuple[int, list[Listed]]], list[dict[str, Any]]]:
    """What does one unit, of which it is given number and images: writes its crops and returns its records."""
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
    """The records of each batch, whose crops are written; ``before`` images of the unit were done before."""
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
