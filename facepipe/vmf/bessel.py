"""log G_v(κ), A = I_{v+1}/I_v and dA/dκ for any order v ≥ 0.

Large orders use Debye's expansion. A small order v is computed from a large enough w = v + n by the recurrence
I_{k−1} = I_{k+1} + (2k/κ)I_k. It is stable downwards, and in terms of the ratio r_k = I_{k+1}/I_k and of
G_k = I_k Γ(k+1)(2/κ)^k all its terms are positive and finite, including at κ = 0:

    r_{k−1} = κ/(2k + κr_k),    log G_{k−1} = log G_k + log(1 + κr_k/2k),
    r′_{k−1} = (r_{k−1}/κ)²·(2k − κ²r′_k).
"""

import math

import torch
from torch import Tensor

from facepipe.vmf import debye
from facepipe.vmf.debye_series import MIN_ORDER, series


def log_g_and_ratio(v: float, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log G_v(κ) = log 0F1(; v+1; κ²/4) and its derivative A = I_{v+1}(κ)/I_v(κ); without autograd.

    log G_v is log I_v minus its leading term v log(κ/2) − log Γ(v+1).
    """
    w = _large_order(v)
    log_g, ratio = debye.log_g_and_ratio_of_large_order(w, kappa)
    for k in _orders_down(w, v):
        step = kappa * ratio
        log_g = log_g + torch.log1p(step / (2 * k))
        ratio = kappa / (2 * k + step)
    return log_g, ratio


def ratio_slope(v: float, kappa: Tensor) -> Tensor:
    """dA/dκ = 1 − A² − (2v+1)A/κ, computed without cancellation; differentiable."""
    w = _large_order(v)
    ratio, slope = debye.ratio_and_slope(w, kappa)
    for k in _orders_down(w, v):
        over_kappa = 1 / (2 * k + kappa * ratio)
        # κ multiplies each factor instead of being squared, since κ² may overflow.
        slope = 2 * k * over_kappa * over_kappa - (kappa * over_kappa) ** 2 * slope
        ratio = kappa * over_kappa
    return slope


def leading_term(v: float, kappa: Tensor) -> Tensor:
    """v log(κ/2) − log Γ(v+1), the asymptote of log I_v(κ) as κ → 0; Γ by Stirling's series for large v."""
    if v == 0:
        return torch.zeros_like(kappa)
    if v < MIN_ORDER:
        return v * torch.log(kappa / 2) - math.lgamma(v + 1)
    return v * torch.log(kappa / (2 * v)) + (v - 0.5 * math.log(2 * math.pi * v) + series(v).p_at_one)


def _large_order(v: float) -> float:
    return v + max(0, math.ceil(MIN_ORDER - v))


def _orders_down(w: float, v: float) -> list[float]:
    """w, w−1, …, v+1."""
    return [w - step for step in range(round(w - v))]
