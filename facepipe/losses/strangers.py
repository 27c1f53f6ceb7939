"""Strangers as negatives: images that are a person each, of one sex, origin and age, are pushed apart."""

import torch
from torch import Tensor
from torch.nn import functional

NO_GROUP = -1
"""Group of an image that is compared with no other."""


def strangers_term(directions: Tensor, groups: Tensor, margin: float, scale: float) -> Tensor:
    """Mean of softplus((u_iᵀu_j − margin) / scale) over the pairs i < j of one group; 0 where there is none.

    A soft hinge: a pair well below the margin is left alone, one well above it is pushed with a force that no longer
    grows, so that the copies and the one person with two photos that such data hold weigh little. It is the negative
    half of a pairwise logistic loss, as in multi-similarity loss (Wang et al., CVPR 2019, Eq. 11), without its sum
    inside the logarithm.

    Args:
        directions: N×D unit rows.
        groups: int64 N; images of equal groups are compared, those of ``NO_GROUP`` with none.
        margin: cosine at which the force is half of its largest.
        scale: of the cosine, above 0; the smaller, the harder the hinge.
    """
    pair = (groups[:, None] == groups[None, :]) & (groups[:, None] != NO_GROUP)
    pair = pair.triu(1).to(directions.dtype)
    excess = (directions @ directions.T - margin) / scale
    return (functional.softplus(excess) * pair).sum() / pair.sum().clamp_min(1)


def close_strangers(directions: Tensor, groups: Tensor, above: float) -> Tensor:
    """Share of the pairs that `strangers_term` compares whose cosine is above a number; for the log."""
    with torch.no_grad():
        pair = ((groups[:, None] == groups[None, :]) & (groups[:, None] != NO_GROUP)).triu(1)
        close = (directions @ directions.T > above) & pair
        return close.sum().to(directions.dtype) / pair.sum().clamp_min(1)
