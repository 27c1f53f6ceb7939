"""The plain softmax loss: inner products and biases."""

from torch import Tensor

from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import ClassificationHead
from facepipe.losses.registry import register


class InnerProductHead(ClassificationHead):
    """Logits w_jᵀx + b_j."""

    def forward(self, features: Tensor, classes: ClassWeights, _label: Tensor, _step: int) -> Tensor:
        return classes.inner(features)


@register(
    paper="Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017",
)
def softmax(embedding_dim: int, num_classes: int, *, bias: bool = True) -> ClassificationLoss:
    """L = −log(e^{w_yᵀx + b_y} / Σ_j e^{w_jᵀx + b_j}), nothing normalised ("original softmax" in the paper).

    Args:
        bias: False omits b (a row of the paper's Table 6).
    """
    return ClassificationLoss(ClassWeights(num_classes, embedding_dim, bias=bias), InnerProductHead())
