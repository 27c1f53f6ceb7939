"""From a score to the probability that two faces are one person's, at a stated prior."""

import math
from typing import NamedTuple

import numpy as np

from facepipe.errors import FacepipeError

_STEPS = 100
_SMALL = 1e-10


class Logistic(NamedTuple):
    """log odds = slope·score + offset, where both kinds of pairs are equally likely beforehand."""

    slope: float
    offset: float


def fit_logistic(genuine: np.ndarray, impostor: np.ndarray) -> Logistic:
    """The logistic curve that suits the scores best when genuine and impostor pairs weigh the same in all.

    The likelihood is maximised by Newton's method towards Platt's targets (Probabilistic Outputs for Support Vector
    Machines, 1999, Sec. 2.2), (n₊+1)/(n₊+2) and 1/(n₋+2), with which a curve exists even if no scores overlap.

    Args:
        genuine, impostor: float, scores of pairs of one person and of two.

    Raises:
        FacepipeError: a kind of pairs is missing, a score is no number, or higher scores do not mean the same person.
    """
    scores = np.concatenate([np.ravel(genuine), np.ravel(impostor)]).astype(np.float64)
    sizes = np.size(genuine), np.size(impostor)
    if not all(sizes) or not np.isfinite(scores).all():
        raise FacepipeError("a probability needs scores of pairs of both kinds, all of them numbers")
    target = np.repeat([(sizes[0] + 1) / (sizes[0] + 2), 1 / (sizes[1] + 2)], sizes)
    weight = np.repeat([0.5 / sizes[0], 0.5 / sizes[1]], sizes)
    centre, spread = scores.mean(), scores.std() or 1.0
    slope, offset = _newton((scores - centre) / spread, target, weight)
    if slope <= 0:
        raise FacepipeError("higher scores do not mean the same person here, so they tell no probability")
    return Logistic(float(slope / spread), float(offset - slope * centre / spread))


def probability(scores: np.ndarray | float, curve: Logistic, prior: float = 0.5) -> np.ndarray:
    """Probability that each pair is genuine, by Bayes' rule; float64, shaped as the scores.

    Args:
        scores: of the pairs.
        curve: fitted to such scores.
        prior: probability before anyone looked, between 0 and 1.

    Raises:
        FacepipeError: the prior is 0, 1 or outside.
    """
    if not 0 < prior < 1:
        raise FacepipeError(f"a prior probability must lie between 0 and 1, not {prior:g}")
    return _sigmoid(curve.slope * np.asarray(scores, np.float64) + curve.offset + math.log(prior / (1 - prior)))


def _newton(x: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(slope, offset) that minimise the weighted cross-entropy."""
    columns = np.stack([x, np.ones_like(x)])
    curve = np.zeros(2)
    for _ in range(_STEPS):
        told = _sigmoid(curve @ columns)
        slope = columns @ (weight * (told - target))
        curvature = (columns * (weight * told * (1 - told))) @ columns.T
        step = np.linalg.solve(curvature + _SMALL * np.eye(2), slope)
        while _loss(curve - step, columns, target, weight) > _loss(curve, columns, target, weight) + _SMALL:
            step = step / 2
        curve = curve - step
        if np.abs(step).max() < _SMALL * (1 + np.abs(curve).max()):
            break
    return curve


def _loss(curve: np.ndarray, columns: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    odds = curve @ columns
    return float(weight @ (np.logaddexp(0, odds) - target * odds))


def _sigmoid(odds: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-np.logaddexp(0, -odds)))
