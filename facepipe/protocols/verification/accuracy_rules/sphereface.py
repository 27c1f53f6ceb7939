"""SphereFace's rule: mean subtraction and fine thresholds."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES, AccuracyRule
from facepipe.protocols.verification.tenfold import Judged, by_blocks, fold_by_fold, judge_at_midpoints, right_at
from facepipe.score import unit

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs


def sphereface_rule(mu: np.ndarray, pairs: "Pairs") -> Judged:
    """SphereFace's rule (evaluation.m of wy1iu/sphereface, lines 59-72 and 115-127).

    Per fold, the mean of both sides of all other folds' pairs, repeats included, is subtracted from every feature;
    then cosine. Thresholds −1 … 1 in steps of 10⁻⁴, the mean of equally good ones. A score equal to the threshold
    counts as an error for either class.

    Args:
        mu: float N×D, one row per name of ``pairs``.
        pairs: with at least two folds.

    Raises:
        DatasetError: a fold has no pairs.
    """
    mu = np.asarray(mu, np.float64)
    steps = np.arange(-10_000, 10_001)

    def scores(fold: int) -> np.ndarray:
        rest = pairs.take(pairs.fold != fold)
        mean = mu[np.concatenate([rest.left, rest.right])].mean(0)
        centred = unit(mu - mean)
        return by_blocks(pairs, lambda left, right: np.einsum("nd,nd->n", centred[left], centred[right]))

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        right = right_at(score, same, steps / 10_000, tie="wrong")
        # The mean of integer steps is exact: a mean of 0 is exactly 0, so that a score of 0 ties with it.
        return float(steps[right == right.max()].mean()) / 10_000

    return fold_by_fold(pairs, scores, choose, tie="wrong")


def _middle(thresholds: np.ndarray) -> float:
    return float(thresholds.mean())


ACCURACY_RULES.add(
    "sphereface",
    AccuracyRule(
        "mean subtraction, fine thresholds",
        sphereface_rule,
        lambda score, pairs: judge_at_midpoints(score, pairs, _middle),
    ),
)
