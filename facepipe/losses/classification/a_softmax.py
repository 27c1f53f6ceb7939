"""A-Softmax, the loss of SphereFace: the target angle is multiplied."""

from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat
from torch import Tensor

from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import ClassificationHead, replace_target, target
from facepipe.losses.classification.official_gradient import OfficialASoftmax
from facepipe.losses.classification.psi import Annealing, softened_psi
from facepipe.losses.registry import register

Gradient = Literal["official", "autograd"]


@dataclass(frozen=True)
class ASoftmax:
    """The margin on cosines: ‖x‖(λc_y + ψ_m(c_y))/(1+λ) for the target, ‖x‖c_j for the others."""

    m: int
    annealing: Annealing

    def __call__(self, cosine: Tensor, norm: Tensor, label: Tensor, step: int, /) -> Tensor:
        psi = softened_psi(target(cosine, label), self.m, self.annealing(step))
        return norm[:, None] * replace_target(cosine, label, psi)


class ASoftmaxHead(ClassificationHead):
    """A-Softmax logits with either gradient; the official one row-normalises W in place before each step."""

    def __init__(self, margin: ASoftmax, gradient: Gradient) -> None:
        super().__init__()
        self.margin = margin
        self.projected = gradient == "official"

    def forward(self, features: Tensor, classes: ClassWeights, label: Tensor, step: int) -> Tensor:
        if not self.projected:
            return self.margin(*classes.cosine(features), label, step)
        weight = classes.weight.to(features.dtype)
        lam = self.margin.annealing(step)
        logits: Tensor = OfficialASoftmax.apply(features, weight, label, self.margin.m, lam)
        return logits

    def logged(self, step: int) -> dict[str, float]:
        return {"lambda": self.margin.annealing(step)}


@register(
    paper="Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017",
    alias="sphereface",
)
def a_softmax(
    embedding_dim: int,
    num_classes: int,
    *,
    m: Literal[1, 2, 3, 4] = 4,
    gradient: Gradient = "official",
    base: NonNegativeFloat = 1000.0,
    gamma: NonNegativeFloat = 0.12,
    power: NonNegativeFloat = 1.0,
    lambda_min: NonNegativeFloat = 5.0,
) -> ClassificationLoss:
    """Cross entropy of ‖x‖ψ_m(θ_y) against ‖x‖cos θ_j (SphereFace Eq. 7), with the annealing of App. G.

    ψ_m(θ) = (−1)^k cos(mθ) − 2k on [kπ/m, (k+1)π/m]. Features are not normalised; class weights are, and
    there is no bias. The target logit is ‖x‖(λ cos θ_y + ψ_m)/(1+λ) with
    λ_t = max(lambda_min, base·(1+gamma·t)^−power).

    Args:
        m: angular margin; 1 is the modified softmax, and λ then has no effect.
        gradient: ``official`` is the backward pass of the released layer (see ``official_gradient``);
            ``autograd`` the derivative of the formula, through w/‖w‖.
        base, gamma, power, lambda_min: the annealing of λ; defaults as released.
    """
    margin = ASoftmax(m, Annealing(base, gamma, power, lambda_min))
    return ClassificationLoss(ClassWeights(num_classes, embedding_dim), ASoftmaxHead(margin, gradient))
