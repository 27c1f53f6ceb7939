"""Evaluation protocols, one per file.

Names are imported on first use, so that an option listing rules does not wait for PyTorch.
"""

from typing import TYPE_CHECKING

from facepipe.imports import lazy

if TYPE_CHECKING:
    from facepipe.protocols.result import FoldResult, Result
    from facepipe.protocols.roc import FARS, OperatingPoint, tar_at_far
    from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES
    from facepipe.protocols.verification.lfw import evaluate_lfw
    from facepipe.protocols.verification.pairs import PairsResult, VerificationResult, evaluate_pairs

__all__ = [
    "ACCURACY_RULES",
    "FARS",
    "FoldResult",
    "OperatingPoint",
    "PairsResult",
    "Result",
    "VerificationResult",
    "evaluate_lfw",
    "evaluate_pairs",
    "tar_at_far",
]

__getattr__ = lazy(__name__, {
    "ACCURACY_RULES": "verification.accuracy_rules",
    "FARS": "roc",
    "FoldResult": "result",
    "OperatingPoint": "roc",
    "PairsResult": "verification.pairs",
    "Result": "result",
    "VerificationResult": "verification.pairs",
    "evaluate_lfw": "verification.lfw",
    "evaluate_pairs": "verification.pairs",
    "tar_at_far": "roc",
})
