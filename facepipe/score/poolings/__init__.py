"""Pooling rules, which combine several images of a person into one embedding; one file per rule or family of rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.registry import Registry
from facepipe.score.groups import means, starts, sums

WeightOf = Callable[[np.ndarray], np.ndarray]
"""κ or σ² of images, float64 n×K → their weights n×K, before the temperature is applied."""
Join = Callable[[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray], np.ndarray]
Variance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def weighted_means(
    mu: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, inner: np.ndarray | None, outer: np.ndarray
) -> np.ndarray:
    """Weighted means of scale·mu within the inner groups, summed over the outer groups; without inner groups, means
    over the outer groups.

    Args:
        mu: float32 n×D.
        scale: float64 n×1, the inverse lengths of the rows, or 1.
        weight: float64 n×K or None.
        inner: int64 n, the medium of each row, 0, 1, … ascending, or None.
        outer: int64 n, its template, numbered likewise.

    Returns:
        float64 T×D.
    """
    if inner is None:
        return means(mu, scale, weight, outer)
    return sums(means(mu, scale, weight, inner), outer[starts(inner)])


def posterior(sigma2: np.ndarray, _weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """1/Σσ_i^−2: the variance of the product of the images' normal densities (PFE, Shi and Jain, ICCV 2019).

    Args:
        sigma2: float64 N×K, rows sorted by template.
        _weight: float64 N×K, weight of each image.
        first: int64 T, first row of each template.

    Returns:
        float64 T×K.
    """
    return 1 / np.add.reduceat(1 / sigma2, first)


@dataclass(frozen=True)
class Pooling:
    """A pooling rule; the defaults are the mean of unit vectors.

    Attributes:
        help: short description.
        needs: field of the embeddings from which the weights are computed.
        weight: computes the weights from it; None if ``needs`` is None.
        unit: whether embeddings are normalised first.
        join: combines the images of a template, see `weighted_means`.
        variance: computes σ² of a template from that of its images, see `posterior`.
    """

    help: str
    needs: Literal["kappa", "sigma2"] | None = None
    weight: WeightOf | None = None
    unit: bool = True
    join: Join = weighted_means
    variance: Variance = posterior


POOLINGS: Registry[Pooling] = Registry(
    "pooling rule", "facepipe.poolings", EmbeddingsError, ("facepipe.score.poolings",)
)


def weighing() -> list[str]:
    """Names of the rules that weight by confidence."""
    return [name for name, rule in POOLINGS.items() if rule.weight is not None]
