"""Throughput of every stage, and of peers on the same images in the same run."""

from facepipe.bench.stages import StageRow, bench

__all__ = ["StageRow", "bench"]
