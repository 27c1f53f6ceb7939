"""Σσ_i^−2 u_i/Σσ_i^−2 per dimension (PFE, ProbFace), with three variants of the template's σ²."""

import numpy as np

from facepipe.score.poolings import POOLINGS, Pooling

_PROBFACE = 1e-6
"""Constant that ProbFace's program adds to 1/σ²."""


def smallest(sigma2: np.ndarray, _weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The smallest σ_i² per dimension, which PFE uses instead of the posterior since images are not independent.

    Arguments and result as in `facepipe.score.poolings.posterior`.
    """
    return np.minimum.reduceat(sigma2, first)


def weighted_mean(sigma2: np.ndarray, weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Σ w_i σ_i²/Σ w_i, ProbFace's rule, which does not shrink with the count; for w_i = σ_i^−2 the harmonic mean.

    Arguments and result as in `facepipe.score.poolings.posterior`.
    """
    return np.add.reduceat(weight * sigma2, first) / np.add.reduceat(weight, first)


def inverse(sigma2: np.ndarray) -> np.ndarray:
    """1/σ²."""
    return 1 / sigma2


def probface_inverse(sigma2: np.ndarray) -> np.ndarray:
    """1/σ² + 10⁻⁶, as in ProbFace's program."""
    return 1 / sigma2 + _PROBFACE


POOLINGS.add("sigma2", Pooling("weighted by 1/sigma2 (PFE)", "sigma2", inverse))
POOLINGS.add(
    "sigma2-min", Pooling("sigma2, with the smallest sigma2 of the images", "sigma2", inverse, variance=smallest)
)
POOLINGS.add(
    "sigma2-mean",
    Pooling(
        "sigma2, with the weighted mean of the images' sigma2 (ProbFace)",
        "sigma2",
        probface_inverse,
        variance=weighted_mean,
    ),
)
