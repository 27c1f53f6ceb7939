"""Whether stated probabilities come true."""

from dataclasses import dataclass

import numpy as np

_LEAST = 1e-12


@dataclass(frozen=True)
class Reliability:
    """Probabilities beside what happened.

    Attributes:
        stated: mean stated probability in each bin that holds pairs, float64 B, ascending.
        observed: share of genuine pairs there, float64 B.
        pairs: how many there are, int64 B.
        expected_error: mean |observed − stated|, bins weighted by their pairs (expected calibration error).
        brier: mean squared difference between probability and outcome (1 or 0).
        log_loss: mean −log₂ of the probability of what happened, bits; 1 is what a coin tells.
    """

    stated: np.ndarray
    observed: np.ndarray
    pairs: np.ndarray
    expected_error: float
    brier: float
    log_loss: float


def reliability(probability: np.ndarray, genuine: np.ndarray, bins: int = 10) -> Reliability:
    """Sort pairs into equally wide bins of stated probability and count.

    Args:
        probability: float N, between 0 and 1.
        genuine: bool N.
        bins: of width 1/bins.
    """
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    held = count > 0
    stated = np.bincount(place, probability, bins)[held] / count[held]
    observed = np.bincount(place, genuine, bins)[held] / count[held]
    true = np.where(genuine, probability, 1 - probability)
    return Reliability(
        stated=stated,
        observed=observed,
        pairs=count[held],
        expected_error=float(np.abs(observed - stated) @ count[held] / len(probability)),
        brier=float(np.mean((1 - true) ** 2)),
        log_loss=float(-np.mean(np.log2(np.maximum(true, _LEAST)))),
    )
