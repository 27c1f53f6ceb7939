"""The preprocessing job: units of images through the pipeline, crops on disk, a journal, and finally a manifest."""

import json
from collections.abc import Callable
from dataclasses import replace

from facepipe.errors import DatasetError
from facepipe.files import Changes, Layout, PassedOver, write_text
from facepipe.files.fingerprint import digest_of
from facepipe.files.stored import StoredPath
from facepipe.images import is_collection
from facepipe.parameters import parameter
from facepipe.preprocess.earlier_output import check_crops, discard_records, require_packs
from facepipe.preprocess.journal import Journal, check_settings
from facepipe.preprocess.manifest import MERGED, write_manifest
from facepipe.preprocess.plan import Plan
from facepipe.preprocess.processing import process_units
from facepipe.preprocess.report import Report, report_of
from facepipe.preprocess.scan import scan
from facepipe.preprocess.update import NOTHING, Records, update
from facepipe.workers import OnRay


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
    (see `manifest.SCHEMA`) and, if images were left out, ``out/skipped.csv``. Can be killed at any time and called
    again: at most the last five seconds or the last batch of 64 (per worker) are repeated,
    and the result is identical byte for byte.

    Args:
        plan: settings.
        device: of the detector.
        overwrite: discard the records of an earlier job in ``out`` (its crops stay until overwritten). In a
            sharded job only this shard is discarded, unless the settings have changed.
        begun: called once with the number of images and how many are already done.
        advance: called with the number of images finished in each step.
        frozen: use the original list of images; otherwise new and changed images are processed, and
            crops and rows of deleted ones are removed.
        passed: counts ignored files.
        changed: called with the changes since the last run, if any.
        on: workers that process the units; they write the crops, so must see both folders. None: this process.
        verify: compare the contents of all images with the last run, not only of those whose size or time differ.

    Raises:
        OutputError: a crop would overwrite an image, or a file not made by an earlier job.
        DatasetError: there are no images, the settings differ from the job begun in ``out``, the shard is invalid, or
            another process runs the same job.
    """
    part, parts = plan.shard
    if not 1 <= part <= parts:
        raise DatasetError(f"shard {part}/{parts}: must be i/n with i from 1 to n")
    if not is_collection(plan.root) and plan.root.resolve().is_relative_to(plan.out.resolve()):
        raise DatasetError(f"{plan.out}: crops must not go into the raw images' folder or above it; choose another")
    if isinstance(plan.out, StoredPath) and not plan.pack:
        packs = f"{parameter('pack', 'tar')} or {parameter('pack', 'parquet')}"
        raise DatasetError(f"{plan.out}: a remote store needs crops in packs; use {packs}")
    work = plan.work
    if overwrite:
        discard_records(plan)
    passed = PassedOver() if passed is None else passed
    tail = plan.tail
    records = Records(*(work / f"{name}{tail}.jsonl" for name in ("images", "todo", "kept")))
    exists = check_settings(work / "settings.json", plan.settings(), plan.out)
    ready = exists and records.images.exists()
    now = work / f"images{tail}.new.jsonl"
    if not ready:
        # The listing comes first, so that settings on disk imply a complete list.
        scan(plan.root, plan.out, records.images, passed, plan.pages)
        if not exists:
            check_crops(plan, records.images, overwrite)
        write_text(work / "settings.json", json.dumps(plan.settings(), indent=2) + "\n")
    elif not frozen:
        scan(plan.root, plan.out, now, passed, plan.pages)
    journal = Journal(work / f"journal{tail}.jsonl")
    changes = NOTHING
    try:
        closed = journal.open()
        if plan.pack:
            require_packs(plan, closed)
        if ready and not frozen:
            changes = update(plan.root, plan.out, records, journal, now, parts == 1 and not plan.pack, verify)
            closed = journal.closed()
        if changes or changes.touched:
            changed(changes)
        process_units(plan, records, journal, closed, device, begun, advance, on)
    finally:
        journal.close()
        now.unlink(missing_ok=True)
    manifest = plan.out / f"manifest{tail}.parquet"
    written = work / manifest.name if isinstance(manifest, StoredPath) else manifest
    layout = Layout(plan.identity_depth)
    # The person is not part of the saved records, so that another depth needs no new work.
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
        layout="; ".join(filter(None, (layout.remark(), layout.without_identity()))),
    )
