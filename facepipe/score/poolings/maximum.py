"""The largest u_i per dimension."""

import numpy as np

from facepipe.score.groups import means, starts
from facepipe.score.poolings import POOLINGS, Pooling


def largest(
    mu: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, inner: np.ndarray | None, outer: np.ndarray
) -> np.ndarray:
    """The largest mean of a medium, or the largest image without media; arguments as in `weighted_means`."""
    if inner is None:
        return np.maximum.reduceat(mu * scale, starts(outer))
    return np.maximum.reduceat(means(mu, scale, weight, inner), starts(outer[starts(inner)]))


POOLINGS.add("max", Pooling("the largest value in each dimension", join=largest))
