"""k-fold verification accuracy: a threshold from all other folds, the accuracy on this one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.errors import DatasetError
from facepipe.protocols.result import FoldResult
from facepipe.score import unit

_BLOCK = 65_536


@dataclass(frozen=True)
class Judged:
    """Pairs judged fold by fold: one entry per fold, and bool M, which pairs were judged rightly."""

    folds: tuple[FoldResult, ...]
    right: np.ndarray


Rule = Callable[[np.ndarray, Pairs], Judged]
Choose = Callable[[np.ndarray, np.ndarray], float]
"""Scores and truth of the other folds → threshold."""
Tie = Literal["wrong", "different", "same"]
"""What a score equal to the threshold is judged to be; ``wrong`` is wrong for either class."""


def sphereface_rule(mu: np.ndarray, pairs: Pairs) -> Judged:
    """SphereFace's rule (evaluation.m of wy1iu/sphereface, lines 59-72 and 115-127).

    Per fold: the mean of both sides of all other folds' pairs, repeats included, is subtracted from every
    feature; then cosine. Thresholds −1 … 1 in steps of 10⁻⁴; of several equally good ones their mean. A
    score equal to the threshold counts as wrong for either class.

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
        return _by_blocks(pairs, lambda left, right: np.einsum("nd,nd->n", centred[left], centred[right]))

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        right = _right_at(score, same, steps / 10_000, tie="wrong")
        # The mean of whole steps is exact: a mean of 0 is 0, and a score of 0 a tie.
        return float(steps[right == right.max()].mean()) / 10_000

    return _fold_by_fold(pairs, scores, choose, tie="wrong")


def insightface_rule(mu: np.ndarray, pairs: Pairs) -> Judged:
    """insightface's rule (recognition/arcface_torch/eval/verification.py).

    Squared Euclidean distance of L2-normalised features, no mean subtraction. Thresholds 0 … 4 in steps
    of 0.01, of several equally good ones the first; a pair is the same when its distance is below it.
    Thresholds in the result are these distances. Arguments and errors as `sphereface_rule`.
    """
    nearness = -squared_distances(mu, pairs)
    grid = np.arange(0, 4, 0.01)

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        return -float(grid[_right_at(score, same, -grid, tie="different").argmax()])

    judged = _fold_by_fold(pairs, lambda _: nearness, choose, tie="different")
    folds = tuple(FoldResult(fold.accuracy, abs(fold.threshold), fold.pairs) for fold in judged.folds)
    return Judged(folds, judged.right)


def pfe_rule(mu: np.ndarray, pairs: Pairs) -> Judged:
    """The rule of PFE and ProbFace (evaluation/metrics.py of seasonSH/Probabilistic-Face-Embeddings, ``accuracy``).

    Cosine, no mean subtraction. Thresholds are the scores of the other folds' genuine pairs, repeats included; of
    several equally good ones their mean; a pair is the same when its score is at the threshold or above. Their
    programs take −L2² of unit vectors, 2cos − 2, which gives the same judgements. Arguments and errors as
    `sphereface_rule`.
    """
    normed = unit(mu)
    cosines = _by_blocks(pairs, lambda left, right: np.einsum("nd,nd->n", normed[left], normed[right]))
    return _fold_by_fold(pairs, lambda _: cosines, _genuine_threshold, tie="same")


RULES: dict[str, Rule] = {"sphereface": sphereface_rule, "insightface": insightface_rule, "pfe": pfe_rule}
"""How cosine is judged."""


def judge_scores(score: np.ndarray, pairs: Pairs, rule: str) -> Judged:
    """The rules for a score with another scale than cosine: no mean subtraction, and no fixed thresholds.

    Thresholds are those that the other folds' scores can tell apart: half way between neighbours, just below
    the lowest and just above the highest. Of several equally good ones ``sphereface`` takes the mean,
    ``insightface`` the strictest. ``pfe`` is `pfe_rule`, which knows no scale.

    Args:
        score: float64 M, one per pair, higher is more alike.
        pairs: with at least two folds.
        rule: a name of `RULES`.

    Raises:
        DatasetError: a fold has no pairs.
    """

    if rule == "pfe":
        return _fold_by_fold(pairs, lambda _: score, _genuine_threshold, tie="same")

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        own = np.unique(score)
        between = own[:-1] + (own[1:] - own[:-1]) / 2
        candidates = np.concatenate([[np.nextafter(own[0], -np.inf)], between, [np.nextafter(own[-1], np.inf)]])
        right = _right_at(score, same, candidates, tie="wrong")
        best = candidates[right == right.max()]
        return float(best.mean() if rule == "sphereface" else best[-1])

    return _fold_by_fold(pairs, lambda _: score, choose, tie="wrong")


def squared_distances(mu: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Squared Euclidean distances of the pairs' unit vectors, float64 M."""
    normed = unit(mu)
    return _by_blocks(pairs, lambda left, right: np.square(normed[left] - normed[right]).sum(1))


def mean_and_error(folds: list[FoldResult] | tuple[FoldResult, ...]) -> tuple[float, float]:
    """Mean accuracy over folds and its standard error σ/√k, σ with k − 1 degrees of freedom."""
    accuracy = np.array([fold.accuracy for fold in folds])
    return float(accuracy.mean()), float(accuracy.std(ddof=1) / np.sqrt(len(accuracy)))


def deviation(folds: list[FoldResult] | tuple[FoldResult, ...]) -> float:
    """Standard deviation of the folds' accuracies over n, what insightface prints behind ±."""
    return float(np.std([fold.accuracy for fold in folds]))


def _genuine_threshold(score: np.ndarray, same: np.ndarray) -> float:
    """The mean of the genuine scores that judge most pairs rightly; above all scores where there is none."""
    genuine = np.sort(score[same])
    if not len(genuine):
        return float(np.nextafter(score.max(), np.inf))
    right = _right_at(score, same, genuine, tie="same")
    best = genuine[right == right.max()]
    # The mean of equal numbers may differ from them in the last bit, which would judge a tie.
    return float(best[0] if best[0] == best[-1] else best.mean())


def _fold_by_fold(pairs: Pairs, scores: Callable[[int], np.ndarray], choose: Choose, tie: Tie) -> Judged:
    folds = []
    right = np.zeros(len(pairs), bool)
    for fold in range(pairs.folds):
        here = pairs.fold == fold
        if not here.any():
            raise DatasetError(f"fold {fold + 1} has no pairs left; too many images are missing for this protocol")
        score = scores(fold)
        threshold = choose(score[~here], pairs.same[~here])
        above = score >= threshold if tie == "same" else score > threshold
        below = score <= threshold if tie == "different" else score < threshold
        right[here] = np.where(pairs.same, above, below)[here]
        folds.append(FoldResult(float(right[here].sum() / here.sum()), threshold, int(here.sum())))
    return Judged(tuple(folds), right)


def _right_at(score: np.ndarray, same: np.ndarray, thresholds: np.ndarray, tie: Tie) -> np.ndarray:
    """How many pairs each threshold judges rightly."""
    genuine, impostor = np.sort(score[same]), np.sort(score[~same])
    above = len(genuine) - np.searchsorted(genuine, thresholds, side="left" if tie == "same" else "right")
    below = np.searchsorted(impostor, thresholds, side="right" if tie == "different" else "left")
    return np.asarray(above + below)


def _by_blocks(pairs: Pairs, score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Scores of all pairs, float64 M; in blocks, so that memory does not grow with the list."""
    out = np.empty(len(pairs))
    for first in range(0, len(pairs), _BLOCK):
        part = slice(first, first + _BLOCK)
        out[part] = score(pairs.left[part], pairs.right[part])
    return out
