"""Points of the ROC curve with exact treatment of ties: TAR at FAR, equal error rate, area.

A pair is accepted when its score is at or above the threshold. FAR is the share of impostor pairs accepted,
TAR the share of genuine pairs accepted. Where scores tie, a threshold cannot part them; nothing is
interpolated for TAR at FAR, while equal error rate and area join neighbouring points by straight lines.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.protocols.no_figure import why_no_tar_of
from facepipe.score.threshold import ascending, threshold_of_ascending

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

Rates = Callable[[float], tuple[float, float]]
"""Threshold → (FAR, FRR)."""


@dataclass(frozen=True)
class OperatingPoint:
    """TAR at a false-accept rate.

    Attributes:
        far: the rate asked for.
        tar: share of genuine pairs accepted; None where the data cannot tell, then ``reason`` says why.
        threshold: the lowest that lets through at most ``far`` of the impostors.
        low, high: Clopper-Pearson interval of ``tar``, the threshold taken as given.
        reached: share of impostors accepted at the threshold; below ``far`` by rounding down, or by ties.
        reason: why there is no figure; empty when there is one.
    """

    far: float
    tar: float | None
    threshold: float | None
    low: float | None
    high: float | None
    reached: float | None = None
    reason: str = ""


def tar_at_far(
    genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float] = FARS, confidence: float = 0.95
) -> tuple[OperatingPoint, ...]:
    """TAR at each rate, thresholds by `facepipe.score.threshold_at_far`.

    Args:
        genuine, impostor: float N and M, higher is more alike.
        fars: false-accept rates, each between 0 and 1.
        confidence: of the intervals.

    Raises:
        FacepipeError: a score is NaN, or a rate is not between 0 and 1.
    """
    genuine, impostor = _ascending(genuine, impostor)
    return tuple(_point(genuine, impostor, far, confidence) for far in fars)


def _point(genuine: np.ndarray, impostor: np.ndarray, far: float, confidence: float) -> OperatingPoint:
    if not 0 < far < 1:
        raise FacepipeError(f"a false-accept rate must lie between 0 and 1, not {far:g}")
    reason = why_no_tar_of(genuine, impostor, far)
    if reason:
        return OperatingPoint(far, None, None, None, None, reason=reason)
    threshold = threshold_of_ascending(impostor, far)
    accepted = _at_or_above(genuine, threshold)
    low, high = clopper_pearson(accepted, len(genuine), confidence)
    reached = _at_or_above(impostor, threshold) / len(impostor)
    return OperatingPoint(far, accepted / len(genuine), threshold, low, high, reached)


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> float | None:
    """The rate at which FAR and false-reject rate are equal, on the line between neighbouring points.

    Returns:
        A fraction, or None when there are no genuine or no impostor pairs.

    Raises:
        FacepipeError: a score is NaN.
    """
    genuine, impostor = _ascending(genuine, impostor)
    if not len(genuine) or not len(impostor):
        return None

    def rates(threshold: float) -> tuple[float, float]:
        frr = 1 - _at_or_above(genuine, threshold) / len(genuine)
        return _at_or_above(impostor, threshold) / len(impostor), frr

    # FAR − FRR falls with the threshold: the highest score at which it is not negative yet ...
    below = [scores[i - 1] for scores in (genuine, impostor) if (i := _first_negative(scores, rates))]
    left = rates(max(below))
    # ... and the next score above it, or accepting nobody.
    above = [scores[i] for scores in (genuine, impostor) if (i := _first_negative(scores, rates)) < len(scores)]
    right = rates(min(above)) if above else (0.0, 1.0)
    gap, next_gap = left[0] - left[1], right[0] - right[1]
    return left[0] + gap / (gap - next_gap) * (right[0] - left[0])


def _first_negative(scores: np.ndarray, rates: Rates) -> int:
    def negative(index: int) -> bool:
        far, frr = rates(scores[index])
        return far < frr

    return bisect_left(range(len(scores)), True, key=negative)


def area_under_curve(genuine: np.ndarray, impostor: np.ndarray) -> float | None:
    """Area under the ROC curve: the chance that a genuine pair scores above an impostor pair, ties half.

    Returns:
        A fraction, or None when there are no genuine or no impostor pairs.

    Raises:
        FacepipeError: a score is NaN.
    """
    genuine, impostor = _ascending(genuine, impostor)
    if not len(genuine) or not len(impostor):
        return None
    won = np.searchsorted(impostor, genuine, side="left").sum(dtype=np.int64)
    not_lost = np.searchsorted(impostor, genuine, side="right").sum(dtype=np.int64)
    return (int(won) + int(not_lost)) / (2 * len(genuine) * len(impostor))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934), as fractions.

    Pairs that share an image are not independent, so for face pairs it is narrower than the truth.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)


def _ascending(genuine: np.ndarray, impostor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sorted, in one dtype, so that thresholds of one are exact in the other."""
    genuine, impostor = ascending(genuine), ascending(impostor)
    common = np.result_type(genuine, impostor)
    return genuine.astype(common, copy=False), impostor.astype(common, copy=False)


def _at_or_above(scores: np.ndarray, threshold: float) -> int:
    # In the dtype of the scores: else NumPy would copy all of them to float64.
    return len(scores) - int(np.searchsorted(scores, scores.dtype.type(threshold)))
