"""Output and records of earlier jobs in the output folder: checked before a job, discarded to restart one."""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.files import OutputError, require_apart
from facepipe.files.stored import StoredPath
from facepipe.parameters import parameter
from facepipe.preprocess.journal import Journal, same_settings
from facepipe.preprocess.packs import pack_name, packs_in
from facepipe.preprocess.plan import Plan
from facepipe.preprocess.processing import BEGUN
from facepipe.preprocess.scan import length, read_listing
from facepipe.tables import counted


def check_crops(plan: Plan, listing: Path, overwrite: bool) -> None:
    """Raise an error if a first run would overwrite files, which cannot be from an earlier run."""
    if plan.pack:
        _check_packs(plan, listing, overwrite)
        return
    tail = "_0" if plan.rule == "all" else ""
    crops = (plan.out / f"{image.crop}{tail}{plan.suffix}" for image in read_listing(listing))
    existing = [crop for crop in crops if crop.exists() or crop.is_symlink()]
    if not existing:
        return
    try:
        raw = [plan.root / image.path for image in read_listing(listing)] if plan.root.is_dir() else [plan.root]
        require_apart(existing, raw, overwrite)
    except OutputError:
        listing.unlink()
        raise


def _check_packs(plan: Plan, listing: Path, overwrite: bool) -> None:
    part, parts = plan.shard
    own_packs = {pack_name(plan.pack, unit) for unit in range(part - 1, -(-length(listing) // plan.unit), parts)}
    existing = [pack for pack in packs_in(plan.out) if parts == 1 or pack.name in own_packs]
    if existing and not overwrite:
        listing.unlink()
        raise OutputError(
            f"{existing[0]}: exists already, but not from a job known here; choose another folder, or replace it "
            f"with {parameter('overwrite', True)}"
        )
    for pack in existing:
        pack.unlink()


def require_packs(plan: Plan, closed: int) -> None:
    """Raise an error if packs recorded as done are missing."""
    part, parts = plan.shard
    existing = {pack.name for pack in packs_in(plan.out)} if closed else set()
    names = (pack_name(plan.pack, part - 1 + unit * parts) for unit in range(closed))
    missing = [name for name in names if name not in existing]
    if missing:
        raise DatasetError(
            f"{plan.out}: not found: {len(missing)} of the {counted(closed, 'pack')} of this job ({missing[0]}); "
            f"restore them, or start over with {parameter('overwrite', True)}"
        )


def discard_records(plan: Plan) -> None:
    """Remove the records of a job to restart it; other shards of the same job keep theirs.

    Raises:
        DatasetError: another process runs a job whose records would be removed.
    """
    work = plan.work
    only_shard = plan.shard[1] > 1 and same_settings(work / "settings.json", plan.settings())
    held = [Journal(path) for path in work.glob(f"journal{plan.tail if only_shard else '*'}.jsonl")]
    try:
        for journal in held:
            journal.open()
        _remove_records(plan, work, only_shard)
    finally:
        for journal in held:
            journal.close()


def _remove_records(plan: Plan, work: Path, only_shard: bool) -> None:
    if only_shard:
        tail = plan.tail
        records = [work / f"{name}{tail}.jsonl" for name in ("images", "todo", "kept", "journal")]
        records += work.glob(f"{BEGUN}{tail}-*")
        records += [plan.out / f"manifest{tail}.parquet", plan.out / f"skipped{tail}.csv"]
    else:
        shutil.rmtree(work, ignore_errors=True)
        # Files of a job with another number of shards would be mistaken for this job's.
        stored = [file for file, _ in plan.out.files()] if isinstance(plan.out, StoredPath) else [*plan.out.glob("*.*")]
        patterns = ("manifest*.parquet", "skipped*.csv")
        records = [path for path in stored if any(fnmatch(path.name, pattern) for pattern in patterns)]
    for record in records:
        record.unlink(missing_ok=True)
