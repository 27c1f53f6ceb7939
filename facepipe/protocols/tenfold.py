"""k-fold verification accuracy: a threshold from all other folds, the accuracy on this one."""

from collections.abc import Callable

import numpy as np

from facepipe.datasets.pairs import Pairs
from facepipe.errors import DatasetError
from facepipe.protocols.result import FoldResult
from facepipe.score import unit

Rule = Callable[[np.ndarray, Pairs], list[FoldResult]]


def sphereface_rule(mu: np.ndarray, pairs: Pairs) -> list[FoldResult]:
    """SphereFace's rule (evaluation.m of wy1iu/sphereface, lines 59-72 and 115-127).

    Per fold: the mean of both sides of all other folds' pairs, repeats included, is subtracted from every
    feature; then cosine. Thresholds −1 … 1 in steps of 10⁻⁴; of several equally good ones their mean. A
    score equal to the threshold counts as wrong for either class.

    Args:
        mu: float N×D, one row per name of ``pairs``.
        pairs: with at least two folds.
    """
    mu = np.asarray(mu, np.float64)
    steps = np.arange(-10_000, 10_001)
    results = []
    for fold in _folds(pairs):
        here = pairs.fold == fold
        rest = pairs.take(~here)
        mean = mu[np.concatenate([rest.left, rest.right])].mean(0)
        centred = unit(mu - mean)
        score = np.einsum("nd,nd->n", centred[pairs.left], centred[pairs.right])
        right = _right_at(score[~here], rest.same, steps / 10_000, ties_right=False)
        # The mean of whole steps is exact: a mean of 0 is 0, and a score of 0 a tie.
        threshold = float(steps[right == right.max()].mean()) / 10_000
        accuracy = _right_at(score[here], pairs.same[here], np.array([threshold]), ties_right=False)[0] / here.sum()
        results.append(FoldResult(float(accuracy), threshold, int(here.sum())))
    return results


def insightface_rule(mu: np.ndarray, pairs: Pairs) -> list[FoldResult]:
    """insightface's rule (recognition/arcface_torch/eval/verification.py).

    Squared Euclidean distance of L2-normalised features, no mean subtraction. Thresholds 0 … 4 in steps
    of 0.01, of several equally good ones the first; a pair is the same when its distance is below it.
    Thresholds in the result are these distances.
    """
    normed = unit(mu)
    distance = np.square(normed[pairs.left] - normed[pairs.right]).sum(1)
    grid = np.arange(0, 4, 0.01)
    results = []
    for fold in _folds(pairs):
        here = pairs.fold == fold
        # A distance equal to the threshold is judged "different", so ties are right for impostors.
        right = _right_at(-distance[~here], pairs.same[~here], -grid, ties_right=True)
        threshold = float(grid[right.argmax()])
        accuracy = _right_at(-distance[here], pairs.same[here], np.array([-threshold]), ties_right=True)[0] / here.sum()
        results.append(FoldResult(float(accuracy), threshold, int(here.sum())))
    return results


RULES: dict[str, Rule] = {"sphereface": sphereface_rule, "insightface": insightface_rule}


def mean_and_error(folds: list[FoldResult]) -> tuple[float, float]:
    """Mean accuracy over folds and its standard error σ/√k, σ with k − 1 degrees of freedom."""
    accuracy = np.array([fold.accuracy for fold in folds])
    return float(accuracy.mean()), float(accuracy.std(ddof=1) / np.sqrt(len(accuracy)))


def _folds(pairs: Pairs) -> range:
    for fold in range(pairs.folds):
        if not (pairs.fold == fold).any():
            raise DatasetError(f"fold {fold + 1} has no pairs left; too many images are missing for this protocol")
    return range(pairs.folds)


def _right_at(score: np.ndarray, same: np.ndarray, thresholds: np.ndarray, ties_right: bool) -> np.ndarray:
    """How many pairs each threshold judges rightly; ``ties_right``: an impostor at the threshold is right."""
    genuine, impostor = np.sort(score[same]), np.sort(score[~same])
    above = len(genuine) - np.searchsorted(genuine, thresholds, side="right")
    below = np.searchsorted(impostor, thresholds, side="right" if ties_right else "left")
    return np.asarray(above + below)
