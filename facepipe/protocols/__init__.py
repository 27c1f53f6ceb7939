"""Evaluation protocols, one per file."""

from facepipe.protocols.lfw import evaluate_lfw
from facepipe.protocols.result import FoldResult, Result
from facepipe.protocols.roc import FARS, OperatingPoint, tar_at_far
from facepipe.protocols.tenfold import RULES
from facepipe.protocols.verification import evaluate_pairs

__all__ = [
    "FARS",
    "RULES",
    "FoldResult",
    "OperatingPoint",
    "Result",
    "evaluate_lfw",
    "evaluate_pairs",
    "tar_at_far",
]
