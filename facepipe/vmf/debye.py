"""Debye's expansion of I_v for large order, in a form that is accurate for both small and large κ.

Let S = √(v² + κ²), t = v/S and δ = S − v = κ²/(v + S). The uniform expansion (DLMF 10.41.3) is

    log I_v(κ) = S + v log(κ/(v + S)) − ½ log(2πS) + P(t),    P(t) = Σ_k D_k(t)/v^k,

where ΣD_k/v^k is the logarithm of the series Σu_k/v^k. As κ → 0, t → 1, and the terms that do not vanish must
add up to those of (κ/2)^v/Γ(v+1). Dividing by that removes them, and the rest is small for small κ:

    log G_v(κ) := log[I_v(κ) Γ(v+1) (2/κ)^v] = δ − v log(1 + δ/2v) − ½ log(1 + δ/v) − (δ/S)·Q(t),

with Q(t) = (P(t) − P(1))/(t − 1), a polynomial. Its derivative is A = I_{v+1}/I_v, term by term, since
dδ/dκ = κ/S and dt/dκ = −tκ/S²:

    A  = κ/(v + S) − (κ/S²)·R(t),    R(t) = ½ + t P′(t),
    A′ = v/(S(v + S)) − ((v² − κ²)/S⁴)·R(t) + (κ²/S⁴)·t R′(t).

Computing A′ as 1 − A² − (2v+1)A/κ would cancel nearly all digits at large κ.
"""

from functools import lru_cache
from itertools import zip_longest

import torch
from torch import Tensor

from facepipe.vmf.debye_series import Polynomial, series


def log_g_and_ratio_of_large_order(v: float, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log G_v(κ) and A = I_{v+1}/I_v in as few passes over κ as possible; without autograd."""
    squared = kappa * kappa
    total = squared + v * v
    over_s = total.rsqrt()
    s = total.mul_(over_s)
    over_sum = s.add_(v).reciprocal_()
    q, r = _q_and_r(v, over_s)
    delta = squared * over_sum
    part = delta * (1 / (2 * v))
    log_g = torch.addcmul(delta, delta, q, value=-1).sub_(torch.log1p(part), alpha=v)
    log_g.sub_(part.mul_(2).log1p_(), alpha=0.5)
    return log_g, over_sum.sub_(r).mul_(kappa)


def ratio_and_slope(v: float, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """A and A′; both differentiable."""
    s = torch.hypot(kappa, kappa.new_tensor(v))
    t, sine = v / s, kappa / s
    r, t_r_slope = _value(series(v).r, t), _value(series(v).t_r_slope, t)
    curve = (t**2 - sine**2) * r - sine**2 * t_r_slope
    return kappa / (v + s) - sine / s * r, v / (v + s) / s - curve / s / s


def _q_and_r(v: float, over_s: Tensor) -> tuple[Tensor, Tensor]:
    """Q(t)/S and R(t)/S², both at once by Horner's rule, since call overhead dominates for small batches."""
    first, *others = _columns(v, over_s.ndim, over_s.dtype, over_s.device)
    both = first
    for column in others:
        both = torch.addcmul(column, both, over_s)
    q, r = both.unbind(0)
    return q.mul_(over_s), r.mul_(over_s).mul_(over_s)


@lru_cache(maxsize=64)
def _columns(v: float, ndim: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    return columns(v, series(v).q, series(v).r, ndim, dtype, device)


def columns(
    v: float, first: Polynomial, second: Polynomial, ndim: int, dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Coefficients of two polynomials in t as powers of 1/S, highest first, each of shape 2×1×…×1 with ndim ones."""
    pairs = zip_longest(first, second, fillvalue=0.0)
    scaled = [[a * v**power, b * v**power] for power, (a, b) in enumerate(pairs)]
    return [torch.tensor(pair, dtype=dtype, device=device).view(2, *(1,) * ndim) for pair in reversed(scaled)]


def _value(coefficients: Polynomial, t: Tensor) -> Tensor:
    value = torch.full_like(t, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * t + coefficient
    return value
