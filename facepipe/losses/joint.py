"""The sum of a classification loss and a metric loss."""

from torch import Tensor

from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.loss import Loss, LossOutput


class JointLoss(Loss):
    """identification + weight · metric, on the same features.

    ``logged``: the logged values of both parts, and their losses as ``identification`` and ``metric``.
    """

    def __init__(self, identification: ClassificationLoss, metric: Loss, weight: float) -> None:
        super().__init__()
        self.identification = identification
        self.metric = metric
        self.weight = weight

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        first: LossOutput = self.identification(features, labels, step)
        second: LossOutput = self.metric(features, labels, step)
        parts = {"identification": first.loss.detach(), "metric": second.loss.detach()}
        return LossOutput(first.loss + self.weight * second.loss, first.logged | second.logged | parts)
