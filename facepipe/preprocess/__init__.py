"""The dataset job: every image of a tree detected, aligned, written and recorded, and resumable at any moment."""

from facepipe.preprocess.job import Plan, Report, preprocess
from facepipe.preprocess.manifest import read_manifest

__all__ = ["Plan", "Report", "preprocess", "read_manifest"]
