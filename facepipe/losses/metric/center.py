"""Center loss: features are pulled to the running mean of their identity."""

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from facepipe.losses.classification.softmax import softmax as softmax_loss
from facepipe.losses.joint import JointLoss
from facepipe.losses.loss import Loss, LossOutput, check_batch, widen
from facepipe.losses.registry import register


class Center(Loss):
    """½·mean‖x_i − c_{y_i}‖²; in training mode each call also updates the centres.

    c_j ← c_j − α·Σ_{i: y_i=j}(c_j − x_i)/(1 + n_j), n_j the number of samples of identity j in the batch; no
    gradient flows into the centres. ``logged``: ``center_distance``, the mean of ‖x_i − c_{y_i}‖.

    Attributes:
        centers: C×D buffer, float32, initially 0.
    """

    centers: Tensor

    def __init__(self, num_classes: int, embedding_dim: int, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.register_buffer("centers", torch.zeros(num_classes, embedding_dim))

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:  # noqa: ARG002
        classes, dim = self.centers.shape
        check_batch(features, labels, dim, classes)
        difference = widen(features) - self.centers[labels]
        loss = 0.5 * (difference * difference).sum(1).mean()
        distance = torch.linalg.vector_norm(difference.detach(), dim=1).mean()
        if self.training:
            self._move(difference.detach().to(self.centers.dtype), labels)
        return LossOutput(loss, {"center_distance": distance})

    def _move(self, difference: Tensor, labels: Tensor) -> None:
        counts = torch.zeros_like(self.centers[:, 0]).index_add_(0, labels, torch.ones_like(difference[:, 0]))
        self.centers.index_add_(0, labels, self.alpha * difference / (1 + counts[labels, None]))


@register(paper="Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016")
def center(
    embedding_dim: int,
    num_classes: int,
    *,
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5,
    softmax: bool = True,
    weight: NonNegativeFloat = 0.003,
) -> Loss:
    """Softmax + weight · ½‖x − c_y‖² (Wen Eq. 2 and 5), the centres updated by Eq. 4.

    The paper sums over the batch; here the softmax and the center term are both means, so their ratio is the
    paper's.

    Args:
        alpha: update rate of the centres; 0 keeps them fixed.
        softmax: False gives the center term alone, which the zero embedding minimises.
        weight: λ, factor of the center term; unused without the softmax loss.
    """
    term = Center(num_classes, embedding_dim, alpha)
    return JointLoss(softmax_loss(embedding_dim, num_classes), term, weight) if softmax else term
