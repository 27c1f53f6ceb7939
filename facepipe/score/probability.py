"""From a score to the probability that two faces are one person's, at a stated prior."""

import math
from typing import NamedTuple

import numpy as np

from facepipe.errors import FacepipeError

_STEPS = 100
_SMALL = 1e-10
_RANGE = 0.01, 0.99


class Logistic(NamedTuple):
    """log odds = slope·score + offset + confidence·c + interaction·score·c, both kinds of pairs equally likely before.

    c is how sure the model is of the face of which it is less sure, log κ or −log σ², kept between ``low`` and
    ``high``, beyond which nothing was fitted; without it ``confidence`` and ``interaction`` are 0.
    """

    slope: float
    offset: float
    confidence: float = 0.0
    interaction: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def needs_confidence(self) -> bool:
        """Whether c plays a part."""
        return bool(self.confidence or self.interaction)


def fit_logistic(
    genuine: np.ndarray,
    impostor: np.ndarray,
    weight: np.ndarray | None = None,
    confidence: tuple[np.ndarray, np.ndarray] | None = None,
) -> Logistic:
    """The logistic curve that suits the scores best when genuine and impostor pairs weigh the same in all.

    The likelihood is maximised by Newton's method towards Platt's targets (Probabilistic Outputs for Support Vector
    Machines, 1999, Sec. 2.2), (n₊+1)/(n₊+2) and 1/(n₋+2), with which a curve exists even if no scores overlap. With
    confidences the curve is steeper where the model is surer; if it did not rise with the score for every confidence
    that occurs, they are left out of it.

    Args:
        genuine, impostor: float, scores of pairs of one person and of two.
        weight: float, ≥ 0, how much each impostor pair counts among them; None for all the same.
        confidence: of the genuine and of the impostor pairs, log κ or −log σ² of the less sure face.

    Raises:
        FacepipeError: a kind of pairs is missing, a score is no number, or higher scores do not mean the same person.
    """
    scores = np.concatenate([np.ravel(genuine), np.ravel(impostor)]).astype(np.float64)
    sizes = np.size(genuine), np.size(impostor)
    if not all(sizes) or not np.isfinite(scores).all():
        raise FacepipeError("a probability needs scores of pairs of both kinds, all of them numbers")
    target = np.repeat([(sizes[0] + 1) / (sizes[0] + 2), 1 / (sizes[1] + 2)], sizes)
    share = np.full(sizes[1], 1.0) if weight is None else np.asarray(weight, np.float64)
    weights = np.concatenate([np.full(sizes[0], 0.5 / sizes[0]), 0.5 * share / share.sum()])
    centre, spread = scores.mean(), scores.std() or 1.0
    x = (scores - centre) / spread
    if confidence is not None:
        both = np.concatenate([np.ravel(part) for part in confidence]).astype(np.float64)
        fitted = _with_confidence(x, both, target, weights)
        if fitted is not None:
            a, b, c, d, low, high = fitted
            return Logistic(
                a / spread, b - a * centre / spread, c - d * centre / spread, d / spread, low, high
            )
    slope, offset = _newton(np.stack([x, np.ones_like(x)]), target, weights)
    if slope <= 0:
        raise FacepipeError("higher scores do not mean the same person here, so they tell no probability")
    return Logistic(float(slope / spread), float(offset - slope * centre / spread))


def _with_confidence(
    x: np.ndarray, confidence: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> tuple[float, ...] | None:
    """(slope, offset, confidence, interaction, low, high) for ``x``; None where the curve would fall somewhere."""
    if not np.isfinite(confidence).all():
        return None
    low, high = (float(bound) for bound in np.quantile(confidence, _RANGE))
    if not low < high:
        return None
    c = np.clip(confidence, low, high) - low  # from zero, so that the columns differ in more than length
    a, b, k, d = (float(value) for value in _newton(np.stack([x, np.ones_like(x), c, x * c]), target, weight))
    if min(a, a + d * (high - low)) <= 0:
        return None
    return a - d * low, b - k * low, k, d, low, high


def probability(
    scores: np.ndarray | float, curve: Logistic, prior: float = 0.5, confidence: np.ndarray | float | None = None
) -> np.ndarray:
    """Probability that each pair is genuine, by Bayes' rule; float64, shaped as the scores.

    Args:
        scores: of the pairs.
        curve: fitted to such scores.
        prior: probability before anyone looked, between 0 and 1.
        confidence: log κ or −log σ² of the less sure face of each pair, where the curve asks for it.

    Raises:
        FacepipeError: the prior is 0, 1 or outside, or the curve asks for confidences and there are none.
    """
    if not 0 < prior < 1:
        raise FacepipeError(f"a prior probability must lie between 0 and 1, not {prior:g}")
    scores = np.asarray(scores, np.float64)
    odds = curve.slope * scores + curve.offset
    if curve.needs_confidence:
        if confidence is None:
            raise FacepipeError("this probability depends on kappa or sigma2: give the confidences of the faces")
        c = np.clip(np.asarray(confidence, np.float64), curve.low, curve.high)
        odds = odds + (curve.confidence + curve.interaction * scores) * c
    return _sigmoid(odds + math.log(prior / (1 - prior)))


def _newton(columns: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coefficients of the columns that minimise the weighted cross-entropy."""
    curve = np.zeros(len(columns))
    for _ in range(_STEPS):
        message = _sigmoid(curve @ columns)
        slope = columns @ (weight * (message - target))
        curvature = (columns * (weight * message * (1 - message))) @ columns.T
        step = np.linalg.solve(curvature + _SMALL * np.eye(len(columns)), slope)
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
