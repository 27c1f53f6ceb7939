"""The dataset job: every image of a tree detected, aligned, written and recorded, and resumable at any moment."""

from facepipe.preprocess.from_rec import Unpacked, unpack_records
from facepipe.preprocess.job import Plan, preprocess
from facepipe.preprocess.manifest import read_manifest
from facepipe.preprocess.merge import merge_shards
from facepipe.preprocess.report import Report

__all__ = ["Plan", "Report", "Unpacked", "merge_shards", "preprocess", "read_manifest", "unpack_records"]
