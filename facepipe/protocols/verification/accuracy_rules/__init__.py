"""Rules for computing accuracy on LFW and similar sets, one per file.

All choose a threshold on the other folds and evaluate on each fold. They differ in preprocessing of embeddings, in the
candidate thresholds, and in the treatment of scores equal to the threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facepipe.errors import DatasetError
from facepipe.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from facepipe.datasets.pairs.lfw_pairs import Pairs
    from facepipe.protocols.verification.tenfold import Judged

JudgePairs = Callable[["np.ndarray", "Pairs"], "Judged"]


@dataclass(frozen=True)
class AccuracyRule:
    """One accuracy rule.

    Attributes:
        help: a short description.
        judge: judges pairs by cosine, from embeddings N×D, one row per name of the pairs, and pairs with at least two
            folds; raises `DatasetError` if a fold has no pairs.
        judge_scores: judges pairs by other scores, float64 M, one per pair, higher means more similar.
        validation: whether VAL at FAR is reported as well.
    """

    help: str
    judge: JudgePairs
    judge_scores: JudgePairs
    validation: bool = False


ACCURACY_RULES: Registry[AccuracyRule] = Registry(
    "rule", "facepipe.accuracy_rules", DatasetError, ("facepipe.protocols.verification.accuracy_rules",)
)
