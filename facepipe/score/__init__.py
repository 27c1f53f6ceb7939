"""Scores of pairs and the thresholds that turn them into decisions."""

from facepipe.score.cosine import cosine, unit
from facepipe.score.threshold import threshold_at_far

__all__ = ["cosine", "threshold_at_far", "unit"]
