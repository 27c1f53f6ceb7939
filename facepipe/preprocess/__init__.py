"""The dataset job: detects, aligns, writes and records every image of a folder tree; resumable at any time.

Imported lazily: the job needs Arrow, which commands for a few crops should not load.
"""

from typing import TYPE_CHECKING

from facepipe.imports import lazy

if TYPE_CHECKING:
    from facepipe.preprocess.from_rec import Unpacked, unpack_records
    from facepipe.preprocess.job import preprocess
    from facepipe.preprocess.manifest import read_manifest
    from facepipe.preprocess.merge import merge_shards
    from facepipe.preprocess.plan import Plan
    from facepipe.preprocess.report import Report

__all__ = ["Plan", "Report", "Unpacked", "merge_shards", "preprocess", "read_manifest", "unpack_records"]

__getattr__ = lazy(__name__, {
    "Plan": "plan",
    "Report": "report",
    "Unpacked": "from_rec",
    "merge_shards": "merge",
    "preprocess": "job",
    "read_manifest": "manifest",
    "unpack_records": "from_rec",
})
