"""Throughput of every stage, and of peers on the same images in the same run."""

from facepipe.bench.row import StageRow
from facepipe.bench.stages import STAGES, bench

__all__ = ["STAGES", "StageRow", "bench"]
