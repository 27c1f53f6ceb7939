"""k-fold verification accuracy: a threshold from all other folds, the accuracy on this one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from facepipe.errors import DatasetError
from facepipe.protocols.result import FoldResult
from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES
from facepipe.score import unit

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs

_BLOCK = 65_536


@dataclass(frozen=True)
class Judged:
    """Pairs judged fold by fold: one entry per fold, and bool M, which pairs were judged correctly."""

    folds: tuple[FoldResult, ...]
    right: np.ndarray


Choose = Callable[[np.ndarray, np.ndarray], float]
"""Scores and ground truth of the other folds → threshold."""
Tie = Literal["wrong", "different", "same"]
"""The decision for a score equal to the threshold; ``wrong`` counts as an error for either class."""


def judge_scores(score: np.ndarray, pairs: "Pairs", rule: str) -> Judged:
    """Apply a rule of `ACCURACY_RULES` to scores other than cosine: no mean subtraction, no fixed thresholds.

    Args:
        score: float64 M, one per pair, higher means more similar.
        pairs: with at least two folds.
        rule: name of the rule.

    Raises:
        DatasetError: unknown rule, or a fold has no pairs.
    """
    return ACCURACY_RULES[rule].judge_scores(score, pairs)


def judge_at_midpoints(score: np.ndarray, pairs: "Pairs", best: Callable[[np.ndarray], float]) -> Judged:
    """Judge scores at thresholds half-way between neighbouring scores of the other folds, and just outside their range.

    Args:
        score, pairs: as in `judge_scores`.
        best: ascending thresholds that judge most pairs correctly → the one to use.

    Raises:
        DatasetError: a fold has no pairs.
    """

    def choose(score: np.ndarray, same: np.ndarray) -> float:
        values = np.unique(score)
        midpoints = values[:-1] + (values[1:] - values[:-1]) / 2
        candidates = np.concatenate([[np.nextafter(values[0], -np.inf)], midpoints, [np.nextafter(values[-1], np.inf)]])
        right = right_at(score, same, candidates, tie="wrong")
        return best(candidates[right == right.max()])

    return fold_by_fold(pairs, lambda _: score, choose, tie="wrong")


def squared_distances(mu: np.ndarray, pairs: "Pairs") -> np.ndarray:
    """Squared Euclidean distances of the pairs' unit vectors, float64 M."""
    normed = unit(mu)
    return by_blocks(pairs, lambda left, right: np.square(normed[left] - normed[right]).sum(1))


def mean_and_error(folds: list[FoldResult] | tuple[FoldResult, ...]) -> tuple[float, float]:
    """Mean accuracy over folds and its standard error σ/√k, σ with k − 1 degrees of freedom."""
    accuracy = np.array([fold.accuracy for fold in folds])
    return float(accuracy.mean()), float(accuracy.std(ddof=1) / np.sqrt(len(accuracy)))


def deviation(folds: list[FoldResult] | tuple[FoldResult, ...]) -> float:
    """Standard deviation of the folds' accuracies over n, as printed after ± by insightface."""
    return float(np.std([fold.accuracy for fold in folds]))


def fold_by_fold(pairs: "Pairs", scores: Callable[[int], np.ndarray], choose: Choose, tie: Tie) -> Judged:
    """Judge each fold's pairs with a threshold from the other folds.

    Args:
        pairs: with at least two folds.
        scores: number of a fold → float64 M, scores of all pairs for it.
        choose: scores and ground truth of the other folds → threshold.
        tie: the decision for a score equal to the threshold.

    Raises:
        DatasetError: a fold has no pairs.
    """
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


def right_at(score: np.ndarray, same: np.ndarray, thresholds: np.ndarray, tie: Tie) -> np.ndarray:
    """Number of pairs that each threshold judges correctly."""
    genuine, impostor = np.sort(score[same]), np.sort(score[~same])
    above = len(genuine) - np.searchsorted(genuine, thresholds, side="left" if tie == "same" else "right")
    below = np.searchsorted(impostor, thresholds, side="right" if tie == "different" else "left")
    return np.asarray(above + below)


def by_blocks(pairs: "Pairs", score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Scores of all pairs, float64 M; in blocks, to bound memory use."""
    out = np.empty(len(pairs))
    for first in range(0, len(pairs), _BLOCK):
        part = slice(first, first + _BLOCK)
        out[part] = score(pairs.left[part], pairs.right[part])
    return out
