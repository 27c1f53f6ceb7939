"""Points of the ROC curve with exact treatment of ties: TAR at FAR, equal error rate, area.

A pair is accepted when its score is at or above the threshold. FAR is the share of impostor pairs accepted,
TAR the share of genuine pairs accepted. A threshold cannot separate tied scores; nothing is interpolated for
TAR at FAR, while equal error rate and area interpolate linearly between neighbouring points.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.score.threshold import ascending, threshold_of_ascending
from facepipe.tables import counted

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

_Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Thresholds, descending, and the genuine and impostor pairs at or above each."""

_Found = tuple[float | None, int, int]
"""Threshold, genuine and impostor pairs at or above it; no threshold if nothing is accepted."""

Rates = Callable[[float], tuple[float, float]]
"""Threshold → (FAR, FRR)."""


@dataclass(frozen=True)
class OperatingPoint:
    """TAR at a false-accept rate.

    Attributes:
        far: the requested rate.
        tar: share of genuine pairs accepted; None if the data are insufficient, see ``reason``.
        threshold: the lowest at which at most ``far`` of the impostors pass.
        low, high: Clopper-Pearson interval of ``tar`` for a fixed threshold.
        reached: share of impostors accepted at the threshold; below ``far`` due to rounding down or ties.
        reason: why there is no figure; empty if there is one.
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
        genuine, impostor: float N and M, higher means more similar.
        fars: false-accept rates, each between 0 and 1.
        confidence: of the intervals.

    Raises:
        FacepipeError: a score is not finite, or a rate is not between 0 and 1.
    """
    genuine, impostor = _ascending(genuine, impostor)
    return tuple(_point(genuine, impostor, far, confidence) for far in fars)


def _point(genuine: np.ndarray, impostor: np.ndarray, far: float, confidence: float) -> OperatingPoint:
    if not 0 < far < 1:
        raise FacepipeError(f"a false-accept rate must be between 0 and 1, not {far:g}")
    reason = _why_no_tar_of(genuine, impostor, far)
    if reason:
        return OperatingPoint(far, None, None, None, None, reason=reason)
    threshold = threshold_of_ascending(impostor, far)
    counts = _at_or_above(genuine, threshold), _at_or_above(impostor, threshold)
    return _point_at(far, threshold, counts, (len(genuine), len(impostor)), confidence)


def _point_at(
    far: float, threshold: float | None, counts: tuple[int, int], pairs: tuple[int, int], confidence: float
) -> OperatingPoint:
    """The point with ``counts`` genuine and impostor pairs accepted out of ``pairs``."""
    low, high = clopper_pearson(counts[0], pairs[0], confidence)
    return OperatingPoint(far, counts[0] / pairs[0], threshold, low, high, counts[1] / pairs[1])


def tar_at_rounded_far(
    genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float], confidence: float = 0.95
) -> tuple[OperatingPoint, ...]:
    """TAR at the k-th highest impostor score, k = round(FAR·N), as in PFE's code (evaluation/metrics.py).

    Accept at or above the threshold. With rounding up or ties more than FAR·N pass, see ``reached``.
    Arguments and errors as in `tar_at_far`.
    """
    genuine, impostor = _ascending(genuine, impostor)
    return tuple(_rounded_point(genuine, impostor, far, confidence) for far in fars)


def _rounded_point(genuine: np.ndarray, impostor: np.ndarray, far: float, confidence: float) -> OperatingPoint:
    reason = _why_no_tar_of(genuine, impostor, far)
    if reason:
        return OperatingPoint(far, None, None, None, None, reason=reason)
    threshold = float(impostor[len(impostor) - round(far * len(impostor))])
    counts = _at_or_above(genuine, threshold), _at_or_above(impostor, threshold)
    return _point_at(far, threshold, counts, (len(genuine), len(impostor)), confidence)


def tar_at_nearest_fpr(
    genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float] = FARS, confidence: float = 0.95
) -> tuple[OperatingPoint, ...]:
    """TAR at the point of scikit-learn's ROC curve with the nearest FPR (insightface's ijb_11.py, lines 357-366).

    The curve has one point for each distinct score and (0, 0); points on a straight line between their neighbours are
    dropped, as ``sklearn.metrics.roc_curve`` does by default, and that may drop the one that would have been nearest.
    Of two equally near points, the one with more false accepts is taken. So the rate reached may be above the
    requested one.

    Arguments and errors as in `tar_at_far`.
    """
    genuine, impostor = _ascending(genuine, impostor)
    # Usually the steep part of the curve is enough for the requested rates.
    steep = _steep(genuine, impostor, int(np.ceil(2 * max(fars) * len(impostor))) + 1)
    points = []
    for far in fars:
        reason = _why_no_tar_of(genuine, impostor, far)
        if reason:
            points.append(OperatingPoint(far, None, None, None, None, reason=reason))
            continue
        threshold, accepted, passed = _of_steep(steep, len(impostor), far) or _of_all(genuine, impostor, far)
        points.append(_point_at(far, threshold, (accepted, passed), (len(genuine), len(impostor)), confidence))
    return tuple(points)


def _steep(genuine: np.ndarray, impostor: np.ndarray, count: int) -> _Curve | None:
    """The curve down to the impostor score with ``count`` at or above it; None without impostors."""
    if not len(impostor):
        return None
    edge = impostor[-min(count, len(impostor))]
    return _bends(genuine[np.searchsorted(genuine, edge) :], impostor[np.searchsorted(impostor, edge) :])


def _of_steep(curve: _Curve | None, impostors: int, far: float) -> _Found | None:
    """The nearest point of a part of the curve, or None if one beyond its end may be nearer."""
    if curve is None:
        return None
    found, distance = _choose(curve, far, impostors)
    # The end of the part need not be on the reduced curve, so the nearest point must be strictly nearer.
    return found if distance < abs(curve[2][-1] / impostors - far) else None


def _of_all(genuine: np.ndarray, impostor: np.ndarray, far: float) -> _Found:
    return _choose(_bends(genuine, impostor), far, len(impostor))[0]


def _bends(genuine: np.ndarray, impostor: np.ndarray) -> _Curve:
    """The points of the curve at which it bends or ends."""
    thresholds = np.unique(np.concatenate([genuine, impostor]))[::-1]
    tps = len(genuine) - np.searchsorted(genuine, thresholds)
    fps = len(impostor) - np.searchsorted(impostor, thresholds)
    kept = np.ones(len(thresholds), bool)
    if len(thresholds) > 2:
        kept[1:-1] = (np.diff(fps, 2) != 0) | (np.diff(tps, 2) != 0)
    return thresholds[kept], tps[kept], fps[kept]


def _choose(curve: _Curve, far: float, impostors: int) -> tuple[_Found, float]:
    thresholds, tps, fps = curve
    distance = np.abs(np.append(0, fps) / impostors - far)
    # Of equally near points the last has the most false accepts, and of these the most true accepts.
    best = len(distance) - 1 - int(distance[::-1].argmin())
    found = (float(thresholds[best - 1]), int(tps[best - 1]), int(fps[best - 1])) if best else (None, 0, 0)
    return found, float(distance[best])


def why_no_tar(genuine: int, impostor: int, lowest: float, highest: float, far: float) -> str:
    """The reason in one line, empty if there is a figure.

    Args:
        genuine, impostor: numbers of pairs.
        lowest, highest: of all scores.
        far: false-accept rate.
    """
    if not genuine:
        return "no genuine pairs"
    if np.floor(far * impostor + 1e-9) < 1:
        return f"{counted(impostor, 'impostor pair')}, fewer than 1/FAR"
    return "all scores are equal" if lowest == highest else ""


def _why_no_tar_of(genuine: np.ndarray, impostor: np.ndarray, far: float) -> str:
    """`why_no_tar` for ascending scores."""
    if not len(genuine) or not len(impostor):
        return why_no_tar(len(genuine), len(impostor), 0, 1, far)
    lowest, highest = min(genuine[0], impostor[0]), max(genuine[-1], impostor[-1])
    return why_no_tar(len(genuine), len(impostor), float(lowest), float(highest), far)


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> float | None:
    """The rate at which FAR and false-reject rate are equal, interpolated between neighbouring points.

    Returns:
        A fraction, or None if there are no genuine or no impostor pairs.

    Raises:
        FacepipeError: a score is not finite.
    """
    genuine, impostor = _ascending(genuine, impostor)
    if not len(genuine) or not len(impostor):
        return None

    def rates(threshold: float) -> tuple[float, float]:
        frr = 1 - _at_or_above(genuine, threshold) / len(genuine)
        return _at_or_above(impostor, threshold) / len(impostor), frr

    # FAR − FRR decreases with the threshold: the highest score at which it is not yet negative ...
    below = [scores[i - 1] for scores in (genuine, impostor) if (i := _first_negative(scores, rates))]
    left = rates(max(below))
    # ... and the next score above it, or accepting nothing.
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
    """Area under the ROC curve: the probability that a genuine pair scores above an impostor pair; ties count half.

    Returns:
        A fraction, or None if there are no genuine or no impostor pairs.

    Raises:
        FacepipeError: a score is not finite.
    """
    genuine, impostor = _ascending(genuine, impostor)
    if not len(genuine) or not len(impostor):
        return None
    won = np.searchsorted(impostor, genuine, side="left").sum(dtype=np.int64)
    not_lost = np.searchsorted(impostor, genuine, side="right").sum(dtype=np.int64)
    return (int(won) + int(not_lost)) / (2 * len(genuine) * len(impostor))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934), as fractions.

    Pairs that share an image are not independent, so for face pairs the interval is too narrow.
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
    # In the dtype of the scores; otherwise NumPy would copy them all to float64.
    return len(scores) - int(np.searchsorted(scores, scores.dtype.type(threshold)))
