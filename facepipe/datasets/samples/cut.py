"""How the faces of a folder's crops were found and cut, as the manifest of ``facepipe preprocess`` in it says."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError
from facepipe.files.stored import StoredPath

METADATA = b"facepipe"
"""Key of a manifest's metadata under which the settings of the job stand as JSON, the cut as ``template``."""
_OWN_COLUMNS = {"crops", "boxes", "landmarks", "chosen"}
_OLD_CUTS = ("112x96-cp2tform", "112x112-cp2tform")
_OLD = "old"


def check_cut(path: Path, wanted: str) -> str:
    """Compare how the crops of a folder were cut with what a model takes.

    Args:
        path: a folder of crops, a folder or an image in one, or a manifest.
        wanted: `facepipe.alignment.Template.identity` of the model's template.

    Returns:
        a sentence for people where crops of another size come from another cut; empty where the cuts are the same, or
        nothing is known of the crops.

    Raises:
        DatasetError: crops of this size that were cut in another way.
    """
    for file in _manifests(path):
        cut = _cut_of(file)
        if cut in (None, wanted) or (cut == _OLD and wanted in _OLD_CUTS):
            continue
        if cut == _OLD:
            raise DatasetError(
                f"{file}: made with the old 112×112 cut, the model wants {wanted}; make the crops anew with 'facepipe "
                "preprocess', or give the model the template 112x112-cp2tform"
            )
        size, wanted_size = cut.partition("-")[0], wanted.partition("-")[0]
        if size == wanted_size:
            raise DatasetError(
                f"{file}: crops cut as {cut}, the model wants {wanted}; make the crops anew with 'facepipe "
                "preprocess', or give the model the template of the crops"
            )
        return f"{file}: crops cut as {cut}, the model wants {wanted}: what it gets is near it, but not the same"
    return ""


def found_by(paths: Iterable[Path]) -> tuple[dict[str, Any], ...]:
    """How the faces of crops were found, as `facepipe.embedding.Embeddings.findings` has it: each way once.

    Args:
        paths: folders of crops, folders or images in one, or manifests.

    Returns:
        settings of detectors with ``faces``, the rule that chose among several; nothing where no manifest tells of all.

    Raises:
        DatasetError: a manifest is damaged.
    """
    ways: list[dict[str, Any]] = []
    for path in paths:
        message = [_way_of(file) for file in _manifests(path)]
        if not message or None in message:
            return ()
        ways += [way for way in message if way is not None and way not in ways]
    return tuple(ways)


def _way_of(file: Path) -> dict[str, Any] | None:
    """One way; None where the manifest is older than its recording, or the crops were taken as they came."""
    about = _about(file)[0]
    detection, rule = (about or {}).get("detection"), (about or {}).get("faces")
    return detection | {"faces": rule} if isinstance(detection, dict) else None


def _manifests(path: Path) -> list[Path]:
    """The manifests that the crops at ``path`` belong to: there, or up to two folders above."""
    if isinstance(path, StoredPath):  # manifests lie beside crops on this machine
        return []
    if path.suffix == ".parquet":
        return [path]
    for folder in (path, *path.absolute().parents[:2]):
        found = sorted(folder.glob("manifest*.parquet")) if folder.is_dir() else []
        if found:
            return found
    return []


def _cut_of(file: Path) -> str | None:
    """The cut; ``old`` for manifests of before it was recorded; None where crops were taken as they came."""
    about, columns = _about(file)
    if about is None:
        return _OLD if columns >= _OWN_COLUMNS else None
    cut = about["template"]
    return None if cut is None else str(cut)


def _about(file: Path) -> tuple[dict[str, Any] | None, set[str]]:
    """What a manifest records of its job, None where it is older than that, and its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        about = json.loads((schema.metadata or {}).get(METADATA, b"null"))
        if about is not None:
            about["template"]
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{file}: damaged; run 'facepipe preprocess' again to write it anew") from error
    return about, set(schema.names)
