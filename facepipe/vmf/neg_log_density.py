"""−log p and its derivative by log κ together, for a loss over log κ, in as few passes as possible.

    −log p(z|x)                = −log C_d(κ) − κ cosθ + d log r,
    its derivative by log κ    = κ A_d(κ) − κ cosθ,

in the form of `facepipe.vmf.amos`, in which v log κ cancels and one logarithm remains. Near κ = 0 its terms cancel,
so that the error is relative to the terms, not to the result; `log_c` and `a_d` are fully accurate everywhere, at half
the speed.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from facepipe.vmf import bessel
from facepipe.vmf.amos import remainders
from facepipe.vmf.debye import columns
from facepipe.vmf.debye_series import MIN_ORDER

_ACCURACY = {torch.float32: 3e-8, torch.float64: 1e-15}


def neg_log_density_and_slope(d: int, kappa: Tensor, cosine: Tensor, radius: float, dtype: torch.dtype) -> Tensor:
    """−log p(z|x) of `log_density`, and its derivative by log κ, κ(A_d(κ) − cosθ); without autograd.

    Call overhead dominates for small batches, so both are computed as two rows of one tensor.

    Args:
        d: dimension ≥ 2.
        kappa: N, float64, or float32 on a device without it.
        cosine: N, of no wider dtype.
        radius: r.
        dtype: of the result, float32 or float64; polynomials are truncated to its accuracy.

    Returns:
        2×N.
    """
    v = d / 2 - 1
    if v < MIN_ORDER:
        kappa_cosine = kappa * cosine
        log_g, ratio = bessel.log_g_and_ratio(v, kappa)
        constant = d * math.log(radius) - log_c_at_zero(d)
        return torch.stack([log_g - kappa_cosine + constant, kappa * ratio - kappa_cosine]).to(dtype)
    w, squared_w, log_weight, first, *others = _columns(d, radius, dtype, kappa.dtype, kappa.device)
    square = torch.addcmul(squared_w, kappa, kappa)
    over_s = square.rsqrt()
    s_and_w = torch.addcmul(w, square, over_s)
    both = first
    for column in others:
        both = torch.addcmul(column, both, over_s)
    both.add_(torch.addcmul(s_and_w, kappa, cosine, value=-1))
    return torch.addcmul(both, log_weight, s_and_w.log_()).to(dtype)


def log_c_at_zero(d: int) -> float:
    """log C_d(0) = log Γ(d/2) − log 2 − (d/2) log π, minus the log area of the unit sphere."""
    return math.lgamma(d / 2) - math.log(2) - d / 2 * math.log(math.pi)


@lru_cache(maxsize=64)
def _columns(d: int, radius: float, result: torch.dtype, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """w, w², the factor of the logarithm in each row, and the rows' polynomials in 1/S without S + w − κ cosθ."""
    w = (d - 1) / 2
    rho, bend = remainders(d / 2 - 1, _ACCURACY[result])
    constant = w * math.log(2 * math.pi) + d * math.log(radius)
    loss = (rho[0] + constant - w, *rho[1:])
    slope = (-2 * w - bend[0], *(-coefficient for coefficient in bend[1:]))
    single = [torch.tensor(value, dtype=dtype, device=device) for value in (w, w * w, [[-w], [0.0]])]
    return single + columns(w, loss, slope, 1, dtype, device)
