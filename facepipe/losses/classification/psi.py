"""The angular function ψ of L-Softmax and A-Softmax, and the annealed λ that softens it early in training."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from facepipe.losses.classification.angle import angle


def psi(cosine: Tensor, m: int) -> Tensor:
    """ψ_m(c) = (−1)^k cos(mθ) − 2k, θ = arccos c ∈ [kπ/m, (k+1)π/m] (SphereFace Eq. 7), as polynomials in c.

    The polynomials and signs are the official layer's (wy1iu/sphereface ``margin_inner_product_layer``).

    Args:
        cosine: any shape, in [−1, 1].
        m: 1, 2, 3 or 4.
    """
    if m == 1:
        return cosine
    square = cosine * cosine
    s0 = torch.sign(cosine)
    if m == 2:
        return 2 * s0 * square - 1
    if m == 3:
        s1, s2 = signs_of_three(cosine)
        return s1 * (4 * square - 3) * cosine + s2
    s3, s4 = signs_of_four(cosine)
    return s3 * (8 * square * (square - 1) + 1) + s4


def signs_of_three(cosine: Tensor) -> tuple[Tensor, Tensor]:
    """s1 = sign(|c|−½) = (−1)^k and s2 = s0(1+s1) − 2 = −2k of m = 3."""
    s1 = torch.sign(cosine.abs() - 0.5)
    return s1, torch.sign(cosine) * (1 + s1) - 2


def signs_of_four(cosine: Tensor) -> tuple[Tensor, Tensor]:
    """s3 = s0·sign(2c²−1) = (−1)^k and s4 = 2·s0 + s3 − 3 = −2k of m = 4."""
    s0 = torch.sign(cosine)
    s3 = s0 * torch.sign(2 * cosine * cosine - 1)
    return s3, 2 * s0 + s3 - 3


def psi_of_angle(cosine: Tensor, m: float) -> Tensor:
    """ψ_m for any real m ≥ 1, computed from the angle; equals :func:`psi` for integer m."""
    scaled = m * angle(cosine)
    k = torch.floor(scaled.detach() / torch.pi)
    sign = 1 - 2 * torch.remainder(k, 2)
    return sign * torch.cos(scaled) - 2 * k


@dataclass(frozen=True)
class Annealing:
    """λ_t = max(λ_min, base·(1 + γt)^−power), the weight of the plain cosine relative to ψ (SphereFace App. G).

    The defaults are those of the released prototxts, for 20 and 64 layers alike: λ₁ = 892.9, and 5 from t = 1659 on.
    """

    base: float = 1000.0
    gamma: float = 0.12
    power: float = 1.0
    lambda_min: float = 5.0

    def __call__(self, step: int) -> float:
        """λ at a training step, counted from 1."""
        return max(self.lambda_min, self.base * math.pow(1 + self.gamma * step, -self.power))


def softened_psi(cosine: Tensor, m: int, lam: float) -> Tensor:
    """(λc + ψ_m(c)) / (1+λ), the target logit without the norms (SphereFace App. G)."""
    return (lam * cosine + psi(cosine, m)) / (1 + lam)
