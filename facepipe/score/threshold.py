"""Decision thresholds at a stated false-accept rate."""

import numpy as np

from facepipe.errors import FacepipeError


def threshold_at_far(impostor: np.ndarray, far: float) -> float:
    """The lowest threshold t at which accepting scores ≥ t lets through at most ``far`` of the impostors.

    Args:
        impostor: float N, scores of pairs of different people.
        far: false-accept rate, between 0 and 1.

    Raises:
        FacepipeError: there are fewer impostors than 1/far, so that the rate cannot be measured.
    """
    allowed = int(np.floor(far * len(impostor) + 1e-9))
    if not 0 < far < 1 or allowed < 1:
        raise FacepipeError(f"a false-accept rate of {far:g} cannot be measured on {len(impostor)} impostor pairs")
    highest = np.sort(np.asarray(impostor, np.float64))[::-1]
    if allowed < len(highest) and highest[allowed] == highest[allowed - 1]:
        # The tie would let in more than allowed: step above it.
        return float(np.nextafter(highest[allowed], np.inf))
    return float(highest[allowed - 1])
