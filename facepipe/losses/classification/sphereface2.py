"""SphereFace2: one binary classification per identity instead of a softmax over all."""

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn, tensor

from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import MarginHead, replace_target, target
from facepipe.losses.reduction import BinarySum
from facepipe.losses.registry import register


def adjusted(cosine: Tensor, t: float) -> Tensor:
    """g(c) = 2((c+1)/2)^t − 1: the similarity adjustment, which spreads high cosines."""
    # A cosine rounded to just below −1 would give a negative base.
    return 2 * ((cosine + 1) / 2).clamp_min(0).pow(t) - 1


def initial_bias(num_classes: int, lam: float, r: float, m: float, t: float) -> float:
    """The b for which ∂L/∂b = 0 if all cosines are 0, as they nearly are in a new network.

    With z = λ/((1−λ)(C−1)), a_y = r(g(0)−m) and a_j = r(g(0)+m) the condition is a quadratic in e^b; its
    positive root is 2z / (e^{a_j}·[1−z+√((1−z)² + 4z·e^{a_y−a_j})]).
    """
    z = lam / ((1 - lam) * (num_classes - 1))
    g = 2 * math.pow(0.5, t) - 1
    target_logit, other = r * (g - m), r * (g + m)
    root = math.sqrt((1 - z) ** 2 + 4 * z * math.exp(target_logit - other))
    if z > 1:  # an equivalent form of the root, since 1 − z + √… would cancel
        return math.log((z - 1 + root) / 2) - target_logit
    return math.log(2 * z / (1 - z + root)) - other


class SphereFace2(nn.Module):
    """The margin: logits r(g(c_y)−m) + b for the target, r(g(c_j)+m) + b for the others; b is learned."""

    def __init__(self, r: float, m: float, t: float, b: float, *, detached: bool) -> None:
        super().__init__()
        self.r, self.m, self.t, self.detached = r, m, t, detached
        self.b = nn.Parameter(tensor(b))

    def forward(self, cosine: Tensor, _norm: Tensor, label: Tensor, _step: int) -> Tensor:
        if self.detached:
            plain = cosine.detach()
            g = cosine + (adjusted(plain, self.t) - plain)
        else:
            g = adjusted(cosine, self.t)
        return self.r * replace_target(g + self.m, label, target(g, label) - self.m) + self.b


@register(
    paper="Wen et al., SphereFace2: Binary Classification is All You Need for Deep Face Recognition, 2021",
)
def sphereface2(
    embedding_dim: int,
    num_classes: int,
    *,
    lam: Annotated[float, Field(gt=0, lt=1)] = 0.7,
    r: PositiveFloat = 40.0,
    m: NonNegativeFloat = 0.4,
    t: Annotated[float, Field(ge=1)] = 3.0,
    loss_weight: PositiveFloat = 50.0,
    gradient: Literal["autograd", "characteristic"] = "autograd",
    projected: bool = True,
) -> ClassificationLoss:
    """λ/r·log(1+e^{−r(g(c_y)−m)−b}) + (1−λ)/r·Σ_{j≠y} log(1+e^{r(g(c_j)+m)+b}), the paper's form C.

    g(c) = 2((c+1)/2)^t − 1. b is a learned scalar, initialised so that its gradient is zero for cosines of 0.
    Defaults of ydwen/opensphere ``sphereface2.py``.

    Args:
        lam: λ, weight of the positive relative to the negatives.
        r: scale.
        m: margin in adjusted cosine.
        t: exponent of the similarity adjustment, at least 1.
        loss_weight: factor of the whole loss; 1 in the paper, 50 in the released code.
        gradient: ``autograd`` is the paper's; ``characteristic`` excludes g and m from the gradient, as the
            later released code does.
        projected: row-normalise W in place before each step, as released; False: differentiate through w/‖w‖.
    """
    bias = initial_bias(num_classes, lam, r, m, t)
    margin = SphereFace2(r, m, t, bias, detached=gradient == "characteristic")
    return ClassificationLoss(
        ClassWeights(num_classes, embedding_dim),
        MarginHead(margin, projected=projected),
        reduction=BinarySum(lam / r, (1 - lam) / r),
        scale=loss_weight,
    )
