"""The dataset job: every image of a tree detected, aligned, written and recorded, and resumable at any moment."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facepipe.preprocess.from_rec import Unpacked, unpack_records
    from facepipe.preprocess.job import Plan, preprocess
    from facepipe.preprocess.manifest import read_manifest
    from facepipe.preprocess.merge import merge_shards
    from facepipe.preprocess.report import Report

__all__ = ["Plan", "Report", "Unpacked", "merge_shards", "preprocess", "read_manifest", "unpack_records"]

_PLACES = {
    "Plan": "job",
    "Report": "report",
    "Unpacked": "from_rec",
    "merge_shards": "merge",
    "preprocess": "job",
    "read_manifest": "manifest",
    "unpack_records": "from_rec",
}


def __getattr__(name: str) -> Any:
    """The job needs Arrow, which a command that cuts a few crops should not wait for."""
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
