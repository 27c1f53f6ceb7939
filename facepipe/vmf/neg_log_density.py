"""−log p and its slope in log κ together: what a loss over log κ needs, in the fewest passes.

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


def neg_log_density_and_slope(d: int, kappa: Tensor, cosine: Tensor, radius: float = 1.0) -> Tensor:
    """−log p(z|x) of `log_density`, and its derivative by log κ, κ(A_d(κ) − cosθ); no autograd through them.

    A small batch costs by the call, not by the number: so both are carried as the two rows of one tensor.

    Args:
        d: dimension ≥ 2.
        kappa: N, float64, or float32 on a device without it.
        cosine: N, of no wider type.
        radius: r.

    Returns:
        2×N, in the dtype of ``kappa``.
    """
    v = d / 2 - 1
    along = kappa * cosine
    if v < MIN_ORDER:
        log_g, ratio = bessel.log_g_and_ratio(v, kappa)
        return torch.stack([log_g - along + (d * math.log(radius) - log_c_at_zero(d)), kappa * ratio - along])
    square = (kappa * kappa).add_(v * v)
    over_s = square.rsqrt()
    s = square * over_s
    first, *others = _columns(d, radius, kappa.dtype, kappa.device)
    both = first
    for column in others:
        both = torch.addcmul(column, both, over_s)
    both.add_(s - along)
    both[0].sub_(s.add_(v).log_(), alpha=v).sub_(square.log_(), alpha=0.25)
    return both


def log_c_at_zero(d: int) -> float:
    """log C_d(0) = log Γ(d/2) − log 2 − (d/2) log π: less the logarithm of the unit sphere's area."""
    return math.lgamma(d / 2) - math.log(2) - d / 2 * math.log(math.pi)


@lru_cache(maxsize=64)
def _columns(d: int, radius: float, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    v = d / 2 - 1
    p, bend = series(v).p, series(v).bend
    constant = (d - 1) / 2 * math.log(2 * math.pi) + d * math.log(radius)
    slope = (-v - bend[0], *(-coefficient for coefficient in bend[1:]))
    return columns(v, (p[0] + constant, *p[1:]), slope, 1, dtype, device)
