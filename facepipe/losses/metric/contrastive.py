"""The contrastive loss: genuine pairs together, impostor pairs at least a margin apart."""

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from facepipe.losses.classification.angle import safe_sqrt, unit_rows
from facepipe.losses.classification.softmax import softmax as softmax_loss
from facepipe.losses.joint import JointLoss
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen
from facepipe.losses.metric.distance import all_squared_distances
from facepipe.losses.registry import register


class Contrastive(Loss):
    """Mean over all pairs i < j of ½d² (same identity) or ½max(0, m−d)² (different).

    ``logged``: ``genuine_distance`` and ``impostor_distance``, means over the pairs of each kind (NaN: none).
    """

    def __init__(self, embedding_dim: int, m: float, *, normalised: bool) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.m = m
        self.normalised = normalised

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:  # noqa: ARG002
        check_batch(features, labels, self.embedding_dim, None)
        features = widen(features)
        with outside_autocast(features):
            points = unit_rows(features)[0] if self.normalised else features
            first, second = torch.triu_indices(len(points), len(points), 1, device=points.device)
            squared = all_squared_distances(points)[first, second]
        genuine = labels[first] == labels[second]
        distance = safe_sqrt(squared)
        gap = (self.m - distance).clamp_min(0)
        pair = 0.5 * torch.where(genuine, squared, gap * gap)
        logged = {
            "genuine_distance": distance.detach()[genuine].mean(),
            "impostor_distance": distance.detach()[~genuine].mean(),
        }
        return LossOutput(pair.sum() / max(len(pair), 1), logged)


@register(paper="Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006")
def contrastive(
    embedding_dim: int,
    num_classes: int,
    *,
    m: PositiveFloat = 1.0,
    normalised: bool = True,
    softmax: bool = True,
    weight: NonNegativeFloat = 1.0,
) -> Loss:
    """½d² for genuine pairs, ½max(0, m−d)² for impostor pairs (Hadsell Eq. 4), mean over the batch's pairs.

    With ``softmax`` as in DeepID2 (Sun et al. 2014): identification + weight · verification, the baseline of
    SphereFace's Table 4. The defaults of m and weight are this project's.

    Args:
        m: margin, a distance.
        normalised: d between L2-normalised features, in [0, 2]; False: between unnormalised features.
        softmax: add the plain softmax loss.
        weight: factor of the contrastive term; unused without the softmax loss.
    """
    pairs = Contrastive(embedding_dim, m, normalised=normalised)
    return JointLoss(softmax_loss(embedding_dim, num_classes), pairs, weight) if softmax else pairs
