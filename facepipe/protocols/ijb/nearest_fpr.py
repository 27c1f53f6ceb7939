"""TAR as insightface's IJB script reads it: at the point of scikit-learn's ROC curve whose FPR is nearest."""

from collections.abc import Sequence

import numpy as np

from facepipe.protocols.no_figure import why_no_tar_of
from facepipe.protocols.roc import FARS, OperatingPoint, clopper_pearson
from facepipe.score.threshold import ascending

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Thresholds, descending, and the genuine and impostor pairs at or above each."""

Found = tuple[float | None, int, int]
"""Threshold, genuine and impostor pairs at or above it; no threshold where nobody is accepted."""


def tar_at_nearest_fpr(
    genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float] = FARS, confidence: float = 0.95
) -> tuple[OperatingPoint, ...]:
    """TAR at the nearest FPR (ijb_11.py, lines 357-366).

    The curve has one point for each different score and (0, 0); points on a straight line between their
    neighbours are dropped, as ``sklearn.metrics.roc_curve`` does by default, and that may drop the one that
    would have been nearest. Of two that are equally near, the one with more false accepts is taken. So the rate
    reached may be above the one asked for.

    Args:
        genuine, impostor: float N and M, higher is more alike.
        fars: false-accept rates.
        confidence: of the intervals.

    Raises:
        FacepipeError: a score is NaN.
    """
    genuine, impostor = ascending(genuine), ascending(impostor)
    # The steep part of the curve settles the rates asked for, as a rule.
    steep = _steep(genuine, impostor, int(np.ceil(2 * max(fars) * len(impostor))) + 1)
    points = []
    for far in fars:
        reason = why_no_tar_of(genuine, impostor, far)
        if reason:
            points.append(OperatingPoint(far, None, None, None, None, reason=reason))
            continue
        threshold, accepted, passed = _of_steep(steep, len(impostor), far) or _of_all(genuine, impostor, far)
        low, high = clopper_pearson(accepted, len(genuine), confidence)
        reached = passed / len(impostor)
        points.append(OperatingPoint(far, accepted / len(genuine), threshold, low, high, reached))
    return tuple(points)


def _steep(genuine: np.ndarray, impostor: np.ndarray, count: int) -> Curve | None:
    """The curve down to the impostor score with ``count`` at or above it; None without impostors."""
    if not len(impostor):
        return None
    edge = impostor[-min(count, len(impostor))]
    return _bends(genuine[np.searchsorted(genuine, edge) :], impostor[np.searchsorted(impostor, edge) :])


def _of_steep(curve: Curve | None, impostors: int, far: float) -> Found | None:
    """The nearest point of a part of the curve, or None when one below it may be nearer."""
    if curve is None:
        return None
    found, distance = _choose(curve, far, impostors)
    # The lower end of a part is no end of the curve, but it is no nearer than itself.
    return found if distance < abs(curve[2][-1] / impostors - far) else None


def _of_all(genuine: np.ndarray, impostor: np.ndarray, far: float) -> Found:
    return _choose(_bends(genuine, impostor), far, len(impostor))[0]


def _bends(genuine: np.ndarray, impostor: np.ndarray) -> Curve:
    """The curve where it bends or ends."""
    thresholds = np.unique(np.concatenate([genuine, impostor]))[::-1]
    tps = len(genuine) - np.searchsorted(genuine, thresholds)
    fps = len(impostor) - np.searchsorted(impostor, thresholds)
    kept = np.ones(len(thresholds), bool)
    if len(thresholds) > 2:
        kept[1:-1] = (np.diff(fps, 2) != 0) | (np.diff(tps, 2) != 0)
    return thresholds[kept], tps[kept], fps[kept]


def _choose(curve: Curve, far: float, impostors: int) -> tuple[Found, float]:
    thresholds, tps, fps = curve
    distance = np.abs(np.append(0, fps) / impostors - far)
    # The last of the equally near ones has the most false accepts, and of these the most true ones.
    best = len(distance) - 1 - int(distance[::-1].argmin())
    found = (float(thresholds[best - 1]), int(tps[best - 1]), int(fps[best - 1])) if best else (None, 0, 0)
    return found, float(distance[best])
