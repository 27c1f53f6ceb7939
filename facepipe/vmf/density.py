"""log I_v, A_d, log C_d and the log density as differentiable functions of κ.

All are computed in float64, if the device has it, and rounded once at the end.
"""

import math
from typing import Any

import torch
from torch import Tensor

from facepipe.errors import EmbeddingsError
from facepipe.vmf import bessel
from facepipe.vmf.neg_log_density import log_c_at_zero


def log_iv(v: float, kappa: Tensor) -> Tensor:
    """log I_v(κ), the modified Bessel function of the first kind.

    Args:
        v: order ≥ 0, any real number.
        kappa: any shape, ≥ 0.

    Returns:
        the shape of ``kappa``; float32, or float64 for float64. −inf at κ = 0, except 0 for v = 0.

    Raises:
        EmbeddingsError: v < 0.
    """
    if not v >= 0:
        raise EmbeddingsError(f"log I_v is computed for orders v ≥ 0, not {v}")
    wide = in_double(kappa)
    value = bessel.leading_term(float(v), wide) + _log_g(wide, float(v))
    return value.to(_result_dtype(kappa))


def a_d(d: int, kappa: Tensor) -> Tensor:
    """A_d(κ) = I_{d/2}(κ)/I_{d/2−1}(κ), the mean resultant length: E[z/‖z‖] = A_d(κ)·μ.

    It increases from 0 to 1 and equals −d/dκ log C_d(κ); its derivative is 1 − A² − (d−1)A/κ.

    Args:
        d: dimension ≥ 2.
        kappa: any shape, ≥ 0.

    Returns:
        the shape of ``kappa``; float32, or float64 for float64.

    Raises:
        EmbeddingsError: d < 2.
    """
    return _ratio(in_double(kappa), _order(d)).to(_result_dtype(kappa))


def log_c(d: int, kappa: Tensor) -> Tensor:
    """log C_d(κ), C_d = κ^{d/2−1}/((2π)^{d/2} I_{d/2−1}(κ)): the normalisation constant on the unit sphere.

    At κ = 0 it is minus the log area of the sphere, log Γ(d/2) − log 2 − (d/2) log π.

    Args:
        d: dimension ≥ 2.
        kappa: any shape, ≥ 0.

    Returns:
        the shape of ``kappa``; float32, or float64 for float64.

    Raises:
        EmbeddingsError: d < 2.
    """
    return (log_c_at_zero(d) - _log_g(in_double(kappa), _order(d))).to(_result_dtype(kappa))


def log_density(d: int, kappa: Tensor, cosine: Tensor, radius: float = 1.0) -> Tensor:
    """log p(z|x) = log C_d(κ) + κ cosθ − d log r, the r-radius von Mises-Fisher density of SCF.

    As in the paper; a density with respect to the surface of the sphere would have (d−1) log r.

    Args:
        d: dimension ≥ 2.
        kappa: any shape, ≥ 0.
        cosine: of the angle between z and the mean direction, broadcast with ``kappa``.
        radius: r.

    Returns:
        the broadcast shape; float32, or float64 if either is.

    Raises:
        EmbeddingsError: d < 2.
    """
    wide = in_double(kappa)
    value = log_c(d, wide) + wide * in_double(cosine) - d * math.log(radius)
    return value.to(torch.promote_types(_result_dtype(kappa), cosine.dtype))


def in_double(x: Tensor) -> Tensor:
    """x in float64, or in float32 on a device without it (Apple's MPS)."""
    return x.float() if x.is_mps else x.double()


def _result_dtype(kappa: Tensor) -> torch.dtype:
    return torch.promote_types(kappa.dtype, torch.float32)


def _order(d: int) -> float:
    if d < 2:
        raise EmbeddingsError(f"the von Mises-Fisher distribution needs a dimension d ≥ 2, not {d}")
    return d / 2 - 1


class _LogGAndRatio(torch.autograd.Function):
    """(log G_v(κ), A) in one pass; the second is the derivative of the first."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, v: float) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        log_g, ratio = bessel.log_g_and_ratio(v, kappa)
        ctx.save_for_backward(kappa, ratio)
        ctx.v = v
        return log_g, ratio

    @staticmethod
    def backward(ctx: Any, outer: Tensor | None, outer_ratio: Tensor | None) -> tuple[Tensor | None, None]:
        kappa, ratio = ctx.saved_tensors
        result = None if outer is None else outer * ratio
        if outer_ratio is not None:
            curved = outer_ratio * bessel.ratio_slope(ctx.v, kappa)
            result = curved if result is None else result + curved
        return result, None


def _log_g(kappa: Tensor, v: float) -> Tensor:
    return _LogGAndRatio.apply(kappa, v)[0]


def _ratio(kappa: Tensor, v: float) -> Tensor:
    return _LogGAndRatio.apply(kappa, v)[1]
