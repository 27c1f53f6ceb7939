"""NormFace: softmax on scaled cosines, without a margin."""

from pydantic import PositiveFloat
from torch import Tensor, nn, tensor

from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import MarginHead
from facepipe.losses.registry import register


class ScaledCosine(nn.Module):
    """Logits s·cos θ_j without a margin, s fixed or learned."""

    def __init__(self, s: float, *, learned: bool) -> None:
        super().__init__()
        self.s: Tensor
        if learned:
            self.s = nn.Parameter(tensor(s))
        else:
            self.register_buffer("s", tensor(s), persistent=False)

    def forward(self, cosine: Tensor, _norm: Tensor, _label: Tensor, _step: int) -> Tensor:
        return self.s * cosine


@register(paper="Wang et al., NormFace: L2 Hypersphere Embedding for Face Verification, ACM MM 2017")
def normface(
    embedding_dim: int,
    num_classes: int,
    *,
    s: PositiveFloat = 30.0,
    learned: bool = False,
    projected: bool = False,
) -> ClassificationLoss:
    """Cross entropy of s·cos θ_j, features and class weights both normalised.

    For small s the loss is bounded away from zero, by log(1 + (C−1)·e^{−s·C/(C−1)}) (NormFace Prop. 2), so s must
    grow with log C.

    Args:
        s: scale; 30 is this project's default, the paper studies a range of fixed and learned values.
        learned: make s a parameter, with this initial value.
        projected: row-normalise W in place before each step instead of differentiating through w/‖w‖.
    """
    head = MarginHead(ScaledCosine(s, learned=learned), projected=projected)
    return ClassificationLoss(ClassWeights(num_classes, embedding_dim), head)
