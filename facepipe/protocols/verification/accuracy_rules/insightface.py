"""insightface's rule: distances, coarse thresholds, and VAL at FAR."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.protocols.result import FoldResult
from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES, AccuracyRule
from facepipe.protocols.verification.tenfold import (
    Judged,
    fold_by_fold,
    judge_at_midpoints,
    right_at,
    squared_distances,
)

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs


def insightface_rule(mu: np.ndarray, pairs: "Pairs") -> Judged:
    """insightface's rule (recognition/arcface_torch/eval/verification.py).

    Squared Euclidean distance of L2-normalised features, no mean subtraction. Thresholds 0 … 4 in steps of 0.01, the
    first of equally good ones; a pair is genuine if its distance is below the threshold. Thresholds in the result
    are these distances. Arguments and errors as in `sphereface_rule`.
    """
    similarity = -squared_distances(mu, pairs)
    grid = np.arange(0, 4, 0.01)

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        return -float(grid[right_at(score, same, -grid, tie="different").argmax()])

    judged = fold_by_fold(pairs, lambda _: similarity, choose, tie="different")
    folds = tuple(FoldResult(fold.accuracy, abs(fold.threshold), fold.pairs) for fold in judged.folds)
    return Judged(folds, judged.right)


def _strictest(thresholds: np.ndarray) -> float:
    return float(thresholds[-1])


ACCURACY_RULES.add(
    "insightface",
    AccuracyRule(
        "its verification.py, with VAL at FAR 1e-3",
        insightface_rule,
        lambda score, pairs: judge_at_midpoints(score, pairs, _strictest),
        validation=True,
    ),
)
