"""Strangers as negatives: images of different people of the same sex, origin and age are pushed apart."""

import torch
from torch import Tensor
from torch.nn import functional

NO_GROUP = -1
"""Group of an image that is not compared with any other."""


def strangers_term(directions: Tensor, groups: Tensor, margin: float, scale: float) -> Tensor:
    """Mean of softplus((u_iᵀu_j − margin) / scale) over the pairs i < j within a group; 0 without pairs.

    A soft hinge: the gradient vanishes well below the margin and is bounded well above it, so that duplicates and
    occasional pairs of the same person in such data have little influence. It is the negative half of a pairwise
    logistic loss, as in multi-similarity loss (Wang et al., CVPR 2019, Eq. 11), without its sum inside the logarithm.

    Args:
        directions: N×D unit rows.
        groups: int64 N; images within a group are compared, those of ``NO_GROUP`` are not.
        margin: cosine at which the gradient is half its maximum.
        scale: of the cosine, above 0; the smaller, the harder the hinge.
    """
    pair = (groups[:, None] == groups[None, :]) & (groups[:, None] != NO_GROUP)
    pair = pair.triu(1).to(directions.dtype)
    excess = (directions @ directions.T - margin) / scale
    return (functional.softplus(excess) * pair).sum() / pair.sum().clamp_min(1)


def close_strangers(directions: Tensor, groups: Tensor, above: float) -> Tensor:
    """Share of the pairs of `strangers_term` whose cosine exceeds ``above``; for the log."""
    with torch.no_grad():
        pair = ((groups[:, None] == groups[None, :]) & (groups[:, None] != NO_GROUP)).triu(1)
        close = (directions @ directions.T > above) & pair
        return close.sum().to(directions.dtype) / pair.sum().clamp_min(1)
