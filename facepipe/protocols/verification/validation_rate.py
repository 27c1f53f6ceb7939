"""VAL at FAR over folds, as in insightface's verification.py (after FaceNet's code)."""

from dataclasses import dataclass

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs

_GRID = np.arange(0, 4, 0.001)


@dataclass(frozen=True)
class ValidationRate:
    """The share of genuine pairs accepted at a threshold chosen on the other folds for a false-accept rate.

    Attributes:
        far: the requested rate.
        val: mean over folds, a fraction.
        std_dev: standard deviation over folds (over n), as printed after ±.
        reached: mean over folds of the share of impostor pairs accepted.
        reason: why there is no figure; all but ``far`` are then None.
    """

    far: float
    val: float | None
    std_dev: float | None
    reached: float | None
    reason: str = ""


def validation_rate(distance: np.ndarray, pairs: Pairs, far: float = 1e-3) -> ValidationRate:
    """VAL at FAR (``calculate_val`` of recognition/arcface_torch/eval/verification.py).

    Per fold, the other folds' FAR is computed at distances 0 … 4 in steps of 0.001, and the threshold is interpolated
    linearly between the last point at or below ``far`` and the next. If ``far`` is never reached, the threshold is 0
    and nothing is accepted. A pair is genuine if its distance is below the threshold.

    Args:
        distance: float64 M, squared Euclidean distances of unit vectors.
        pairs: with at least two folds.
        far: the false-accept rate.
    """
    rates = []
    for fold in range(pairs.folds):
        here = pairs.fold == fold
        genuine, impostor = distance[here & pairs.same], distance[here & ~pairs.same]
        others = distance[~here & ~pairs.same]
        if not (len(genuine) and len(impostor) and len(others)):
            reason = f"fold {fold + 1}, or the others, lack genuine or impostor pairs"
            return ValidationRate(far, None, None, None, reason)
        threshold = _threshold(np.sort(others), far)
        rates.append(((genuine < threshold).mean(), (impostor < threshold).mean()))
    val, reached = np.array(rates).T
    return ValidationRate(far, float(val.mean()), float(val.std()), float(reached.mean()))


def _threshold(impostor: np.ndarray, far: float) -> float:
    rate = np.searchsorted(impostor, _GRID, side="left") / len(impostor)
    if rate[-1] < far:
        return 0.0
    last = int(np.searchsorted(rate, far, side="right")) - 1
    if rate[last] == far:
        return float(_GRID[last])
    return float(np.interp(far, rate[last : last + 2], _GRID[last : last + 2]))
