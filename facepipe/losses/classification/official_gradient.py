"""A-Softmax with the gradient of the official layer, which is not the derivative of its forward pass."""

from typing import Any

import torch
from torch import Tensor

from facepipe.losses.classification.margin import replace_target, target
from facepipe.losses.classification.psi import signs_of_four, signs_of_three, softened_psi


class OfficialASoftmax(torch.autograd.Function):
    """Logits ‖x‖c_j, for the target ‖x‖(λc + ψ_m(c))/(1+λ), and the layer's "normalised gradient".

    The exact ∂(‖x‖ψ)/∂x is c_w·w_y + c_x·x. The layer divides both coefficients by n = √(c_w² + c_x²):

        ∂L/∂x = Σ_{j≠y} δ_j w_j + δ_y[λ/(1+λ)·w_y + 1/(1+λ)·(c_w·w_y + c_x·x)/n],    ∂L/∂W = δᵀX,

    with δ = ∂L/∂logit; the weight gradient has no margin term for any m and keeps its radial part
    (wy1iu/sphereface ``margin_inner_product_layer``, .cpp and .cu; its README is wrong that the weight gradient
    is normalised too). The rows of W must be unit: see ``ClassWeights.project_``.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, label: Tensor, m: int, lam: float) -> Tensor:
        """Logits N×C from features N×D, unit class weights C×D, label N (−1: on another shard)."""
        ctx.save_for_backward(features, weight, label)
        ctx.m, ctx.lam = m, lam
        norm = torch.linalg.vector_norm(features, dim=1)
        inner = features @ weight.T
        cosine = target_cosine(inner, norm, label)
        return replace_target(inner, label, norm * softened_psi(cosine, m, lam))

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, label = ctx.saved_tensors
        target_weight = weight[label.clamp_min(0)]
        norm = torch.linalg.vector_norm(features, dim=1)
        inner = (features * target_weight).sum(1, keepdim=True)
        cosine = target_cosine(inner, norm, torch.zeros_like(label))
        on_w, on_x = normalised_coefficients(cosine, norm, ctx.m)
        target_delta = torch.where(label >= 0, target(delta, label), torch.zeros_like(norm))
        # The target column's difference from the plain inner product's δ_y·w_y.
        extra_w = target_delta * (on_w - 1) / (1 + ctx.lam)
        extra_x = target_delta * on_x / (1 + ctx.lam)
        on_features = delta @ weight + extra_w[:, None] * target_weight + extra_x[:, None] * features
        return on_features, delta.T @ features, None, None, None


def target_cosine(inner: Tensor, norm: Tensor, label: Tensor) -> Tensor:
    """Cosine N with the target from inner products N×C; 0 for a feature of norm zero."""
    known = norm > 0
    return torch.where(known, target(inner, label) / torch.where(known, norm, torch.ones_like(norm)), 0)


def normalised_coefficients(cosine: Tensor, norm: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """c_w/n and c_x/n, N each, of the official backward pass; (1, 0) for m = 1.

    Both are multiplied by ‖x‖ before dividing, so that a feature of norm zero gives (0, ±1) and not NaN.
    """
    if m == 1:
        return torch.ones_like(norm), torch.zeros_like(norm)
    c_w, q = coefficients(cosine, m)
    n = torch.hypot(c_w * norm, q)
    n = torch.where(n > 0, n, torch.ones_like(n))
    return c_w * norm / n, -q / n


def coefficients(cosine: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """c_w and q = −‖x‖·c_x of ∂(‖x‖ψ_m)/∂x = c_w·w + c_x·x; q = c·ψ′ − ψ, c_w = ψ′; m is 2, 3 or 4."""
    square = cosine * cosine
    if m == 2:
        s0 = torch.sign(cosine)
        return 4 * s0 * cosine, 2 * s0 * square + 1
    if m == 3:
        s1, s2 = signs_of_three(cosine)
        return s1 * (12 * square - 3), 8 * s1 * square * cosine - s2
    s3, s4 = signs_of_four(cosine)
    return s3 * (32 * square - 16) * cosine, s3 * (24 * square * square - 8 * square - 1) - s4

