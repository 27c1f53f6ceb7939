"""How accuracy on LFW and its sisters is counted: the rules by name, every file here one.

All take a threshold from the other folds and count on each fold; they differ in what they do to the embeddings, in the
thresholds that they try, and in what becomes of a score that equals the threshold.
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
    """One rule.

    Attributes:
        help: what it does, in a few words.
        judge: judges by cosine: embeddings N×D, one row per name of the pairs, and pairs with at least two folds; it
            raises `DatasetError` where a fold has no pairs.
        judge_scores: judges by scores of another scale, float64 M, one per pair, higher is more alike.
        validation: whether VAL at FAR is told with it.
    """

    help: str
    judge: JudgePairs
    judge_scores: JudgePairs
    validation: bool = False


ACCURACY_RULES: Registry[AccuracyRule] = Registry(
    "rule", "facepipe.accuracy_rules", DatasetError, ("facepipe.protocols.verification.accuracy_rules",)
)
