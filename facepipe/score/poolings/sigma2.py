"""Σσ_i^−2 u_i/Σσ_i^−2 per dimension (PFE, ProbFace): one mu, and three σ² of a template."""

import numpy as np

from facepipe.score.poolings import POOLINGS, Pooling

_PROBFACE = 1e-6
"""What ProbFace's program adds to 1/σ²."""


def smallest(sigma2: np.ndarray, _weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The smallest σ_i² in each dimension, what PFE uses in place of the posterior, whose images are not independent.

    Arguments and result as in `facepipe.score.poolings.posterior`.
    """
    return np.minimum.reduceat(sigma2, first)


def weighted_mean(sigma2: np.ndarray, weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Σ w_i σ_i²/Σ w_i, ProbFace's rule, which does not fall with the count; with w_i = σ_i^−2 the harmonic mean.

    Arguments and result as in `facepipe.score.poolings.posterior`.
    """
    return np.add.reduceat(weight * sigma2, first) / np.add.reduceat(weight, first)


def inverse(sigma2: np.ndarray) -> np.ndarray:
    """1/σ²."""
    return 1 / sigma2


def probface_inverse(sigma2: np.ndarray) -> np.ndarray:
    """1/σ² + 10⁻⁶, as ProbFace's program has it."""
    return 1 / sigma2 + _PROBFACE


POOLINGS.add("sigma2", Pooling("weighs by 1/sigma2 (PFE)", "sigma2", inverse))
POOLINGS.add(
    "sigma2-min", Pooling("sigma2, a template's own being its images' least", "sigma2", inverse, variance=smallest)
)
POOLINGS.add(
    "sigma2-mean",
    Pooling(
        "sigma2, a template's own being a weighted mean (ProbFace)", "sigma2", probface_inverse, variance=weighted_mean
    ),
)
