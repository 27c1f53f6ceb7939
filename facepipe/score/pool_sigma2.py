"""The σ² of a template from those of its images, and the weights that ProbFace gives them."""

from collections.abc import Callable

import numpy as np

_PROBFACE = 1e-6
"""What ProbFace's program adds to 1/σ²."""


def posterior(sigma2: np.ndarray, _weight: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """1/Σσ_i^−2: the variance of the product of the images' normal densities (PFE, Shi and Jain, ICCV 2019).

    Args:
        sigma2: float64 N×K, rows sorted by template.
        _weight: float64 N×K, of each image in mu; only `weighted_mean` asks for it.
        starts: int64 T, first row of each template.

    Returns:
        float64 T×K.
    """
    return 1 / np.add.reduceat(1 / sigma2, starts)


def smallest(sigma2: np.ndarray, _weight: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The smallest σ_i² in each dimension, what PFE uses in place of the posterior, whose images are not independent.

    Arguments and result as in `posterior`.
    """
    return np.minimum.reduceat(sigma2, starts)


def weighted_mean(sigma2: np.ndarray, weight: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Σ w_i σ_i²/Σ w_i, ProbFace's rule, which does not fall with the count; with w_i = σ_i^−2 the harmonic mean.

    Arguments and result as in `posterior`.
    """
    return np.add.reduceat(weight * sigma2, starts) / np.add.reduceat(weight, starts)


Variance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
VARIANCE: dict[str, Variance] = {"sigma2": posterior, "sigma2-min": smallest, "sigma2-mean": weighted_mean}
"""Pooling rules that weigh by inverse variance, each with its σ² of a template."""


def inverse_variance(sigma2: np.ndarray, rule: str) -> np.ndarray:
    """The weights of ``rule`` before any temperature: 1/σ², and under ``sigma2-mean`` 1/σ² + 10⁻⁶ as in ProbFace.

    Args:
        sigma2: float N×K.
        rule: a name of `VARIANCE`.

    Returns:
        float64 N×K.
    """
    return 1 / sigma2.astype(np.float64) + (_PROBFACE if rule == "sigma2-mean" else 0)
