"""TAR at the k-th highest impostor score, k = round(FAR·N), as PFE's programs take it (evaluation/metrics.py)."""

from collections.abc import Sequence

import numpy as np

from facepipe.protocols.no_figure import why_no_tar_of
from facepipe.protocols.roc import OperatingPoint, clopper_pearson
from facepipe.score.threshold import ascending


def tar_at_rounded_far(
    genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float], confidence: float = 0.95
) -> tuple[OperatingPoint, ...]:
    """Accept at or above the threshold. Rounding up, or a tie, lets through more than FAR·N: see ``reached``.

    Args:
        genuine, impostor: float N and M, higher is more alike.
        fars: false-accept rates.
        confidence: of the intervals.

    Raises:
        FacepipeError: a score is NaN.
    """
    genuine, impostor = ascending(genuine), ascending(impostor)
    return tuple(_point(genuine, impostor, far, confidence) for far in fars)


def _point(genuine: np.ndarray, impostor: np.ndarray, far: float, confidence: float) -> OperatingPoint:
    reason = why_no_tar_of(genuine, impostor, far)
    if reason:
        return OperatingPoint(far, None, None, None, None, reason=reason)
    threshold = impostor[len(impostor) - round(far * len(impostor))]
    accepted = int((genuine >= threshold).sum())
    low, high = clopper_pearson(accepted, len(genuine), confidence)
    reached = float((impostor >= threshold).mean())
    return OperatingPoint(far, accepted / len(genuine), float(threshold), low, high, reached)
