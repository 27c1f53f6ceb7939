"""Convert scores to the probability that two faces show the same person, for a given prior."""

import math
from typing import NamedTuple

import numpy as np

from facepipe.errors import FacepipeError

_STEPS = 100
_SMALL = 1e-10
_RANGE = 0.01, 0.99


class Logistic(NamedTuple):
    """log odds = slope·score + offset + confidence·c + interaction·score·c, for equal priors.

    c is the confidence of the less confident face of the pair, log κ or −log σ², clipped to the fitted range ``low`` …
    ``high``; without it ``confidence`` and ``interaction`` are 0.
    """

    slope: float
    offset: float
    confidence: float = 0.0
    interaction: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def needs_confidence(self) -> bool:
        """Whether the curve depends on c."""
        return bool(self.confidence or self.interaction)


def fit_logistic(
    genuine: np.ndarray,
    impostor: np.ndarray,
    weight: np.ndarray | None = None,
    confidence: tuple[np.ndarray, np.ndarray] | None = None,
) -> Logistic:
    """Fit a logistic curve, with equal total weight of genuine and impostor pairs.

    The likelihood of Platt's targets (Probabilistic Outputs for Support Vector Machines, 1999, Sec. 2.2), (n₊+1)/(n₊+2)
    and 1/(n₋+2), is maximised by Newton's method; with them the curve exists even if the scores do not overlap. With
    confidences the curve can be steeper for confident faces; they are ignored if the curve would not increase with the
    score for every confidence in the data.

    Args:
        genuine, impostor: float, scores of genuine and impostor pairs.
        weight: float, ≥ 0, relative weight of each impostor pair; None for equal weights.
        confidence: of genuine and impostor pairs, log κ or −log σ² of the less confident face.

    Raises:
        FacepipeError: one kind of pairs is missing, a score is not finite, or genuine scores are not the higher ones.
    """
    scores = np.concatenate([np.ravel(genuine), np.ravel(impostor)]).astype(np.float64)
    sizes = np.size(genuine), np.size(impostor)
    if not all(sizes) or not np.isfinite(scores).all():
        raise FacepipeError("a probability needs finite scores of both genuine and impostor pairs")
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
        raise FacepipeError("genuine pairs do not have higher scores here, so no probability can be fitted")
    return Logistic(float(slope / spread), float(offset - slope * centre / spread))


def _with_confidence(
    x: np.ndarray, confidence: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> tuple[float, ...] | None:
    """(slope, offset, confidence, interaction, low, high) for ``x``; None if the curve would decrease somewhere."""
    if not np.isfinite(confidence).all():
        return None
    low, high = (float(bound) for bound in np.quantile(confidence, _RANGE))
    if not low < high:
        return None
    c = np.clip(confidence, low, high) - low  # from zero, so that the columns are not nearly collinear
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
        prior: prior probability, between 0 and 1.
        confidence: log κ or −log σ² of the less confident face of each pair, if the curve needs it.

    Raises:
        FacepipeError: the prior is not strictly between 0 and 1, or the curve needs confidences and there are none.
    """
    if not 0 < prior < 1:
        raise FacepipeError(f"the prior probability must be between 0 and 1, not {prior:g}")
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
        predicted = _sigmoid(curve @ columns)
        slope = columns @ (weight * (predicted - target))
        curvature = (columns * (weight * predicted * (1 - predicted))) @ columns.T
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
