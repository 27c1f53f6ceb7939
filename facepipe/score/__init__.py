"""Pair scores, template pooling, search, and thresholds that turn scores into decisions."""

from facepipe.score.cosine import cosine, pair_cosines, unit
from facepipe.score.pair_scores import SCORES
from facepipe.score.pair_scores.scf import scf, scf_pairs
from facepipe.score.pairs import score_pairs
from facepipe.score.pool import MEDIA_WEIGHTS, pool
from facepipe.score.poolings import POOLINGS
from facepipe.score.probability import Logistic, fit_logistic, probability
from facepipe.score.threshold import threshold_at_far

__all__ = [
    "MEDIA_WEIGHTS",
    "POOLINGS",
    "SCORES",
    "Logistic",
    "cosine",
    "fit_logistic",
    "pair_cosines",
    "pool",
    "probability",
    "scf",
    "scf_pairs",
    "score_pairs",
    "threshold_at_far",
    "unit",
]
