"""Calibration of predicted probabilities."""

from dataclasses import dataclass

import numpy as np

_LEAST = 1e-12
_MIDDLE = 0.1, 0.9


@dataclass(frozen=True)
class Reliability:
    """Predicted probabilities compared with outcomes.

    Attributes:
        stated: mean predicted probability of each non-empty bin, float64 B, ascending.
        observed: share of genuine pairs in the bin, float64 B.
        pairs: number of pairs in the bin, int64 B.
        expected_error: expected calibration error, the mean |observed − stated| weighted by pairs.
        middle_error: the same over pairs with a predicted probability from 10 to 90 %; 0 if there are none.
        middle_pairs: number of those pairs.
        brier: mean squared difference between probability and outcome (1 or 0).
        log_loss: mean −log₂ of the probability of the outcome, bits; 1 for a coin toss.
        cllr: cost of log likelihood ratios, bits (Brümmer and du Preez, Application-independent evaluation of speaker
            detection, 2006, Eq. 11): as ``log_loss``, but with equal weight of genuine and impostor pairs and
            independent of the prior; 0 is perfect, 1 is a coin toss. NaN if one kind of pairs is missing.
    """

    stated: np.ndarray
    observed: np.ndarray
    pairs: np.ndarray
    expected_error: float
    middle_error: float
    middle_pairs: int
    brier: float
    log_loss: float
    cllr: float


def reliability(
    probability: np.ndarray, genuine: np.ndarray, bins: int = 10, prior: float | None = None
) -> Reliability:
    """Compare probabilities with outcomes in equally wide bins.

    Args:
        probability: float N, between 0 and 1.
        genuine: bool N.
        bins: number of bins.
        prior: the prior of the probabilities; None means the share of genuine pairs.
    """
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    held = count > 0
    stated = np.bincount(place, probability, bins)[held] / count[held]
    observed = np.bincount(place, genuine, bins)[held] / count[held]
    gap = np.abs(observed - stated)
    middle = (stated >= _MIDDLE[0]) & (stated <= _MIDDLE[1])
    within = count[held][middle]
    true = np.where(genuine, probability, 1 - probability)
    return Reliability(
        stated=stated,
        observed=observed,
        pairs=count[held],
        expected_error=float(gap @ count[held] / len(probability)),
        middle_error=float(gap[middle] @ within / max(1, within.sum())),
        middle_pairs=int(within.sum()),
        brier=float(np.mean((1 - true) ** 2)),
        log_loss=float(-np.mean(np.log2(np.maximum(true, _LEAST)))),
        cllr=_cllr(probability, genuine, float(np.mean(genuine)) if prior is None else prior),
    )


def _cllr(probability: np.ndarray, genuine: np.ndarray, prior: float) -> float:
    if genuine.all() or not genuine.any():
        return float("nan")
    ratio = _log_odds(probability) - _log_odds(np.array(prior))
    same, different = np.logaddexp(0, -ratio[genuine]), np.logaddexp(0, ratio[~genuine])
    return float((same.mean() + different.mean()) / (2 * np.log(2)))


def _log_odds(probability: np.ndarray) -> np.ndarray:
    kept = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.log(kept) - np.log1p(-kept)
