"""The σ² of a template from those of its images. The mean vector is the same for all rules: Σσ_i^−2 u_i/Σσ_i^−2."""

import numpy as np


def posterior(sigma2: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """1/Σσ_i^−2: the variance of the product of the images' normal densities (PFE, Shi and Jain, ICCV 2019).

    Args:
        sigma2: float64 N×K, rows sorted by template.
        starts: int64 T, first row of each template.

    Returns:
        float64 T×K.
    """
    return 1 / np.add.reduceat(1 / sigma2, starts)


def smallest(sigma2: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The smallest σ_i² in each dimension, what PFE uses in place of the posterior, whose images are not independent.

    Arguments and result as in `posterior`.
    """
    return np.minimum.reduceat(sigma2, starts)


def weighted_mean(sigma2: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Σ w_i σ_i²/Σ w_i with w_i = σ_i^−2, ProbFace's rule: the harmonic mean, which does not fall with the count.

    Its program adds 10⁻⁶ to each weight. Arguments and result as in `posterior`.
    """
    count = np.diff(starts, append=len(sigma2))[:, None]
    return count / np.add.reduceat(1 / sigma2, starts)


VARIANCE = {"sigma2": posterior, "sigma2-min": smallest, "sigma2-mean": weighted_mean}
"""Pooling rules that weigh by inverse variance, each with its σ² of a template."""
