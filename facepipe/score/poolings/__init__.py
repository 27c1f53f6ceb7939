"""How several images of a person become one embedding: the rules by name, every file here one or some that belong
together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.registry import Registry
from facepipe.score.groups import means, starts, sums

WeightOf = Callable[[np.ndarray], np.ndarray]
"""κ or σ² of images, float64 n×K → their weights n×K, before any temperature."""
Join = Callable[[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray], np.ndarray]
Variance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def weighted_means(
    mu: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, inner: np.ndarray | None, outer: np.ndarray
) -> np.ndarray:
    """Weighted means of scale·mu inside the inner groups, summed over the outer ones; without inner groups means over
    the outer ones.

    Args:
        mu: float32 n×D.
        scale: float64 n×1, what makes rows unit vectors, or 1.
        weight: float64 n×K or None.
        inner: int64 n, the medium of each row, 0, 1, … ascending, or None.
        outer: int64 n, its template likewise.

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
        _weight: float64 N×K, of each image in mu.
        first: int64 T, first row of each template.

    Returns:
        float64 T×K.
    """
    return 1 / np.add.reduceat(1 / sigma2, first)


@dataclass(frozen=True)
class Pooling:
    """One rule; the usual one is the mean of unit vectors.

    Attributes:
        help: what it is, in a few words.
        needs: field of the embeddings that its weights are made from.
        weight: how; None with ``needs`` None.
        unit: whether images count as unit vectors, not by their length.
        join: what makes a template of its images, see `weighted_means`.
        variance: σ² of a template from those of its images, see `posterior`.
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
    """Names of the rules that weigh by confidence."""
    return [name for name, rule in POOLINGS.items() if rule.weight is not None]
