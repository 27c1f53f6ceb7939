"""The dataset job: every image of a tree detected, aligned, written and recorded, and resumable at any moment.

The job needs Arrow, for which a command that cuts a few crops should not wait.
"""

from typing import TYPE_CHECKING

from facepipe.imports import lazy

if TYPE_CHECKING:
    from facepipe.preprocess.from_rec import Unpacked, unpack_records
    from facepipe.preprocess.job import Plan, preprocess
    from facepipe.preprocess.manifest import read_manifest
    from facepipe.preprocess.merge import merge_shards
    from facepipe.preprocess.report import Report

__all__ = ["Plan", "Report", "Unpacked", "merge_shards", "preprocess", "read_manifest", "unpack_records"]

__getattr__ = lazy(__name__, {
    "Plan": "job",
    "Report": "report",
    "Unpacked": "from_rec",
    "merge_shards": "merge",
    "preprocess": "job",
    "read_manifest": "manifest",
    "unpack_records": "from_rec",
})
