"""The triplet loss: each genuine pair must be closer than an impostor pair by a margin."""

from typing import Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor

from facepipe.losses.classification.angle import unit_rows
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen
from facepipe.losses.metric.distance import all_squared_distances
from facepipe.losses.registry import register

Mining = Literal["semi_hard", "all"]


def semi_hard_negatives(distances: Tensor, same: Tensor, anchor: Tensor, positive: Tensor) -> Tensor:
    """Squared distance P to the negative selected for each of P ordered genuine pairs.

    The nearest negative farther from the anchor than the positive; if there is none, the farthest.
    Every anchor must have a negative.

    Args:
        distances: N×N squared distances.
        same: N×N bool, True where two features share an identity.
        anchor, positive: P indices each.
    """
    ordered = distances.masked_fill(same, torch.inf).sort(dim=1).values
    last = (~same).sum(1) - 1
    genuine = distances.detach()[anchor, positive][:, None].contiguous()
    beyond = torch.searchsorted(ordered.detach()[anchor].contiguous(), genuine, right=True)[:, 0]
    return ordered[anchor, torch.minimum(beyond, last[anchor])]


class Triplet(Loss):
    """Mean over triplets of max(0, ‖a−p‖² − ‖a−n‖² + m) on L2-normalised features.

    ``logged``: ``active``, the share of triplets with a positive loss, and ``triplets``, their number. The loss is 0
    for a batch without a genuine pair or with a single identity.
    """

    def __init__(self, embedding_dim: int, m: float, mining: Mining) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.m = m
        self.mining = mining

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:  # noqa: ARG002
        check_batch(features, labels, self.embedding_dim, None)
        features = widen(features)
        with outside_autocast(features):
            distances = all_squared_distances(unit_rows(features)[0])
        same = labels[:, None] == labels[None, :]
        pairs = same & ~same.all(1, keepdim=True)
        anchor, positive = pairs.fill_diagonal_(False).nonzero(as_tuple=True)
        genuine = distances[anchor, positive]
        if self.mining == "semi_hard":
            excess = genuine - semi_hard_negatives(distances, same, anchor, positive) + self.m
        else:
            excess = (genuine[:, None] - distances[anchor] + self.m)[~same[anchor]]
        count = excess.new_tensor(len(excess))
        active = (excess.detach() > 0).sum() / count.clamp_min(1)
        loss = excess.clamp_min(0).sum() / count.clamp_min(1)
        return LossOutput(loss, {"active": active, "triplets": count})


@register(
    paper="Schroff et al., FaceNet: A Unified Embedding for Face Recognition and Clustering, CVPR 2015",
)
def triplet(
    embedding_dim: int,
    num_classes: int,  # noqa: ARG001
    *,
    m: PositiveFloat = 0.2,
    mining: Mining = "semi_hard",
) -> Triplet:
    """max(0, ‖a−p‖² − ‖a−n‖² + m) on L2-normalised features (FaceNet Eq. 3), mean over the batch's triplets.

    Args:
        m: margin, a squared distance.
        mining: ``semi_hard`` takes for each ordered genuine pair the nearest negative with ‖a−n‖ > ‖a−p‖, or
            the farthest negative if there is none (as TensorFlow's semi-hard loss, which ProbFace uses); ``all``
            takes every negative, with N values in memory per genuine pair.
    """
    return Triplet(embedding_dim, m, mining)
