"""The dataset job: every image of a tree detected, aligned, written and recorded, and resumable at any moment."""

from facepipe.preprocess.from_rec import Unpacked, unpack_records
from facepipe.preprocess.job import Plan, Report, preprocess
from facepipe.preprocess.manifest import read_manifest

__all__ = ["Plan", "Report", "Unpacked", "preprocess", "read_manifest", "unpack_records"]
