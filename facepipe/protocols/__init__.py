"""Evaluation protocols, one per file."""

from facepipe.protocols.lfw import evaluate_lfw
from facepipe.protocols.result import FoldResult, Result
from facepipe.protocols.tenfold import RULES

__all__ = ["RULES", "FoldResult", "Result", "evaluate_lfw"]
