"""The base class of the losses of uncertainty heads, whose features are a unit embedding and the head's output."""

from abc import abstractmethod

import torch
from torch import Tensor

from facepipe.losses.classification.angle import unit_rows
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen


def head_features(mu: Tensor, output: Tensor) -> Tensor:
    """Features for an `UncertaintyLoss`, N×(D+K): embeddings N×D scaled to length 1, then a head's outputs N×K."""
    mu, output = widen(mu), widen(output)
    return torch.cat([unit_rows(mu)[0], output], dim=1)


class UncertaintyLoss(Loss):
    """A loss whose features are those of `head_features`."""

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.num_classes = num_classes

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:  # noqa: ARG002
        check_batch(features, labels, None, self.num_classes)
        features = widen(features)
        mu, output = features[:, : self.embedding_dim], features[:, self.embedding_dim :]
        with outside_autocast(features):
            return self.head_loss(mu, output, labels)

    @abstractmethod
    def head_loss(self, mu: Tensor, output: Tensor, labels: Tensor) -> LossOutput:
        """The loss of unit embeddings N×D, outputs N×K (log κ or log σ²) and labels N."""
