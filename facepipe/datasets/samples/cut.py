"""How the faces in a folder of crops were detected and cut, from the manifest of ``facepipe preprocess``."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facepipe.detection import with_present_names
from facepipe.errors import DatasetError
from facepipe.files.stored import StoredPath

METADATA = b"facepipe"
"""Key of a manifest's metadata that holds the job's settings as JSON, with the cut as ``template``."""
_MANIFEST_COLUMNS = {"crops", "boxes", "landmarks", "chosen"}
_OLD_CUTS = ("112x96-cp2tform", "112x112-cp2tform")
_OLD = "old"


def check_cut(path: Path, wanted: str) -> str:
    """Compare the cut of a folder's crops with the one that a model takes.

    Args:
        path: a folder of crops, a folder or an image in one, or a manifest.
        wanted: `facepipe.alignment.Template.identity` of the model's template.

    Returns:
        a note for the user if crops of another size have another cut; empty if the cuts are equal or the cut of the
        crops is unknown.

    Raises:
        DatasetError: crops of the same size have another cut.
    """
    for file in _manifests(path):
        cut = _cut_of(file)
        if cut in (None, wanted) or (cut == _OLD and wanted in _OLD_CUTS):
            continue
        if cut == _OLD:
            raise DatasetError(
                f"{file}: made with the old 112×112 cut, but the model takes {wanted}; make new crops with 'facepipe "
                "preprocess', or set the model's template to 112x112-cp2tform"
            )
        size, wanted_size = cut.partition("-")[0], wanted.partition("-")[0]
        if size == wanted_size:
            raise DatasetError(
                f"{file}: crops cut as {cut}, but the model takes {wanted}; make new crops with 'facepipe "
                "preprocess', or set the model's template to that of the crops"
            )
        return f"{file}: crops cut as {cut}, but the model takes {wanted}: its input is similar, but not the same"
    return ""


def found_by(paths: Iterable[Path]) -> tuple[dict[str, Any], ...]:
    """The distinct ways the faces of crops were found, as `facepipe.embedding.Embeddings.findings` records them.

    Args:
        paths: folders of crops, folders or images in one, or manifests.

    Returns:
        detector settings with ``faces``, the rule for several faces; empty unless manifests record it for all crops.

    Raises:
        DatasetError: a manifest is damaged.
    """
    findings: list[dict[str, Any]] = []
    for path in paths:
        recorded = [_finding_of(file) for file in _manifests(path)]
        if not recorded or None in recorded:
            return ()
        findings += [finding for finding in recorded if finding is not None and finding not in findings]
    return tuple(findings)


def _finding_of(file: Path) -> dict[str, Any] | None:
    """The finding of a manifest; None if the manifest is too old to record it, or the images were already crops."""
    settings = _settings(file)[0]
    detection, rule = (settings or {}).get("detection"), (settings or {}).get("faces")
    return with_present_names(detection) | {"faces": rule} if isinstance(detection, dict) else None


def _manifests(path: Path) -> list[Path]:
    """The manifests of the crops at ``path``: there, or up to two folders above."""
    if isinstance(path, StoredPath):  # manifests are kept with crops on this machine only
        return []
    if path.suffix == ".parquet":
        return [path]
    for folder in (path, *path.absolute().parents[:2]):
        found = sorted(folder.glob("manifest*.parquet")) if folder.is_dir() else []
        if found:
            return found
    return []


def _cut_of(file: Path) -> str | None:
    """The cut; ``old`` if the manifest is too old to record it; None if the images were already crops."""
    settings, columns = _settings(file)
    if settings is None:
        return _OLD if columns >= _MANIFEST_COLUMNS else None
    cut = settings["template"]
    return None if cut is None else str(cut)


def _settings(file: Path) -> tuple[dict[str, Any] | None, set[str]]:
    """The job settings in a manifest, None if it is too old to record them, and its columns."""
    from facepipe.files.parquet import DAMAGED_PARQUET, parquet_schema  # slow to import

    try:
        schema = parquet_schema(file)
        settings = json.loads((schema.metadata or {}).get(METADATA, b"null"))
        if settings is not None:
            settings["template"]
    except (*DAMAGED_PARQUET, KeyError, TypeError) as error:
        raise DatasetError(f"{file}: damaged; run 'facepipe preprocess' again to rewrite it") from error
    return settings, set(schema.names)
