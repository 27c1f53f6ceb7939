"""L-Softmax: a multiplicative margin on the target angle, without normalised features or class weights."""

from typing import Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from facepipe.losses.classification.angle import unit_rows
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import ClassificationHead, replace_target
from facepipe.losses.classification.psi import Annealing, softened_psi
from facepipe.losses.registry import register


class LSoftmaxHead(ClassificationHead):
    """Logits ‖w_y‖‖x‖(λ cos θ_y + ψ_m(θ_y))/(1+λ) for the target and w_jᵀx for the others."""

    def __init__(self, m: int, annealing: Annealing) -> None:
        super().__init__()
        self.m = m
        self.annealing = annealing

    def forward(self, features: Tensor, classes: ClassWeights, label: Tensor, step: int) -> Tensor:
        direction, norm = unit_rows(features)
        target_direction, target_norm = unit_rows(classes.weight[label.clamp_min(0)].to(features.dtype))
        cosine = torch.sum(direction * target_direction, dim=1)
        value = target_norm * norm * softened_psi(cosine, self.m, self.annealing(step))
        return replace_target(classes.inner(features), label, value)

    def logged(self, step: int) -> dict[str, float]:
        return {"lambda": self.annealing(step)}


@register(paper="Liu et al., Large-Margin Softmax Loss for Convolutional Neural Networks, ICML 2016")
def l_softmax(
    embedding_dim: int,
    num_classes: int,
    *,
    m: Literal[1, 2, 3, 4] = 4,
    base: NonNegativeFloat = 1000.0,
    gamma: NonNegativeFloat = 0.12,
    power: NonNegativeFloat = 1.0,
    lambda_min: NonNegativeFloat = 5.0,
) -> ClassificationLoss:
    """Cross entropy of ‖w_y‖‖x‖ψ_m(θ_y) against w_jᵀx (L-Softmax Eq. 4 and 6), no bias.

    ψ_m(θ) = (−1)^k cos(mθ) − 2k on [kπ/m, (k+1)π/m], softened as (λ cos θ + ψ)/(1+λ). The default annealing is
    A-Softmax's. The gradient is the derivative of the formula.

    Args:
        m: angular margin; 1 is the plain softmax without bias.
        base, gamma, power, lambda_min: λ_t = max(lambda_min, base·(1+gamma·t)^−power).
    """
    head = LSoftmaxHead(m, Annealing(base, gamma, power, lambda_min))
    return ClassificationLoss(ClassWeights(num_classes, embedding_dim), head)
