"""Evaluation protocols, one per file."""

from facepipe.protocols.result import FoldResult, Result
from facepipe.protocols.roc import FARS, OperatingPoint, tar_at_far
from facepipe.protocols.verification.lfw import evaluate_lfw
from facepipe.protocols.verification.pairs import PairsResult, VerificationResult, evaluate_pairs
from facepipe.protocols.verification.tenfold import RULES

__all__ = [
    "FARS",
    "RULES",
    "FoldResult",
    "OperatingPoint",
    "PairsResult",
    "Result",
    "VerificationResult",
    "evaluate_lfw",
    "evaluate_pairs",
    "tar_at_far",
]
