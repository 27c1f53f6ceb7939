"""−log C_d(κ) and its slope in log κ together: what a loss over log κ needs, in the fewest passes.

From Debye's expansion (see `facepipe.vmf.debye`), where v log κ cancels and the rest is a sum of plain terms:

    −log C_d(κ)  = S − v log(v + S) − ½ log S + P(t) + ½(d−1) log 2π,
    κ A_d(κ)     = S − v − (1 − t²)R(t),

v = d/2 − 1, S = √(v² + κ²), t = v/S. Near κ = 0 these terms cancel, and what is left is right to their last
digit and not to its own; `log_c` and `a_d` are right to the last digit everywhere, at half the speed.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from facepipe.vmf import bessel
from facepipe.vmf.debye import columns
from facepipe.vmf.debye_series import MIN_ORDER, series


def neg_log_c_and_slope(d: int, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """−log C_d(κ) and κ·A_d(κ), its derivative by log κ; no autograd through them.

    Args:
        d: dimension ≥ 2.
        kappa: any shape, float64, or float32 on a device without it.
    """
    v = d / 2 - 1
    if v < MIN_ORDER:
        log_g, ratio = bessel.log_g_and_ratio(v, kappa)
        return log_g.sub_(log_c_at_zero(d)), ratio.mul_(kappa)
    square = (kappa * kappa).add_(v * v)
    over_s = square.rsqrt()
    s = square * over_s
    first, *others = _columns(d, kappa.ndim, kappa.dtype, kappa.device)
    # Horner's rule for both at once: a small batch costs by the call, not by the number.
    both = first
    for column in others:
        both = torch.addcmul(column, both, over_s)
    value, slope = both.add_(s).unbind(0)
    return value.sub_(s.add_(v).log_(), alpha=v).sub_(square.log_(), alpha=0.25), slope


def log_c_at_zero(d: int) -> float:
    """log C_d(0) = log Γ(d/2) − log 2 − (d/2) log π: less the logarithm of the unit sphere's area."""
    return math.lgamma(d / 2) - math.log(2) - d / 2 * math.log(math.pi)


@lru_cache(maxsize=64)
def _columns(d: int, ndim: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    v = d / 2 - 1
    p, bend = series(v).p, series(v).bend
    value = (p[0] + (d - 1) / 2 * math.log(2 * math.pi), *p[1:])
    slope = (-v - bend[0], *(-coefficient for coefficient in bend[1:]))
    return columns(v, value, slope, ndim, dtype, device)
