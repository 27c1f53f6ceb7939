"""The r-radius von Mises-Fisher loss, which trains κ (SCF; Li et al., CVPR 2021)."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.vmf import a_d, in_double, log_iv, neg_log_density_and_slope

_FLOOR = 1e-6


class RVMFTerms(NamedTuple):
    """The terms of the loss per sample, N each, named as SCF's TensorBoard curves.

    Their sum is the loss without its constant (d/2) log 2π + d log r.

    Attributes:
        neg_kappa_times_cos_theta: −κ cosθ.
        neg_dim_scalar_times_log_kappa: −(d/2−1) log κ.
        log_iv_kappa: log I_{d/2−1}(κ).
    """

    neg_kappa_times_cos_theta: Tensor
    neg_dim_scalar_times_log_kappa: Tensor
    log_iv_kappa: Tensor


@dataclass(frozen=True)
class RVMFLoss:
    """−log p(w|x) of the class centre w under a face's density: −κ cosθ − log C_d(κ) + d log r.

    That is −κ cosθ − (d/2−1) log κ + log I_{d/2−1}(κ) + (d/2) log 2π + d log r, the Kullback-Leibler divergence
    of a point mass at the centre, up to a constant. Its derivative is ∂L/∂κ = A_d(κ) − cosθ, so at the optimum the
    mean resultant length A_d(κ) equals the mean cosine between such faces and their centre.

    Attributes:
        dim: d ≥ 2, of embeddings and centres.
        radius: r; only shifts the loss.
        official_floor: reproduce the published program (MathsShen/SCF, ``kl_delta_vmf.py``), which computes the Bessel
            term as log(1e-6 + e^−κ I(κ)) + κ and log κ as log(1e-6 + κ). For d = 512 the first 1e-6 dominates its sum
            up to κ ≈ 3700, so the optimum there is κ = 255/(1 − cosθ) instead; the second is negligible unless κ is
            below 1. The gradient is that of these terms, as in the program.

    Raises:
        ModelError: d < 2.
    """

    dim: int
    radius: float = 64.0
    official_floor: bool = False

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise ModelError(f"the r-vMF loss needs embeddings of at least two dimensions, not {self.dim}")

    def __call__(self, log_kappa: Tensor, cosine: Tensor) -> Tensor:
        """The loss of each sample.

        Args:
            log_kappa: N, any float dtype; computed in float64 if the device has it.
            cosine: N, between a face's mean direction and the centre of its class.

        Returns:
            N, float32, or float64 for float64.

        Raises:
            ModelError: the shapes differ; squeeze the N×1 output of a head.
        """
        _check(log_kappa, cosine)
        if not self.official_floor:
            return _NegLogDensity.apply(log_kappa, cosine, self.dim, self.radius)
        first, second, third = self._terms(in_double(log_kappa), in_double(cosine))
        loss = first + second + third + self.dim / 2 * math.log(2 * math.pi) + self.dim * math.log(self.radius)
        return loss.to(_result_dtype(log_kappa, cosine))

    def terms(self, log_kappa: Tensor, cosine: Tensor) -> RVMFTerms:
        """The three terms of each sample, N each, for logging; arguments and errors as for the loss."""
        _check(log_kappa, cosine)
        dtype = _result_dtype(log_kappa, cosine)
        return RVMFTerms(*(term.to(dtype) for term in self._terms(in_double(log_kappa), in_double(cosine))))

    def _terms(self, log_kappa: Tensor, cosine: Tensor) -> RVMFTerms:
        kappa, v = log_kappa.exp(), self.dim / 2 - 1
        bessel = log_iv(v, kappa)
        if self.official_floor:
            floor = bessel.new_tensor(math.log(_FLOOR))
            bessel = torch.logaddexp(bessel - kappa, floor) + kappa
            log_kappa = torch.logaddexp(log_kappa, floor)
        return RVMFTerms(-kappa * cosine, -v * log_kappa, bessel)


class _NegLogDensity(torch.autograd.Function):
    """−log p(w|x), with its derivative κ(A_d(κ) − cosθ) by log κ from the same pass."""

    @staticmethod
    def forward(ctx: Any, log_kappa: Tensor, cosine: Tensor, dim: int, radius: float) -> Tensor:
        dtype = _result_dtype(log_kappa, cosine)
        kappa = in_double(log_kappa).exp()
        loss, ctx.slope = neg_log_density_and_slope(dim, kappa, cosine, radius, dtype).unbind(0)
        ctx.dim = dim
        ctx.save_for_backward(log_kappa, cosine)
        return loss

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        if not torch.is_grad_enabled() and not ctx.needs_input_grad[1]:
            return outer * ctx.slope, None, None, None
        # For a second derivative: the saved slope has no graph.
        log_kappa, cosine = ctx.saved_tensors
        kappa = in_double(log_kappa).exp()
        slope = kappa * (a_d(ctx.dim, kappa) - in_double(cosine))
        return outer * slope, -outer * kappa, None, None


def _check(log_kappa: Tensor, cosine: Tensor) -> None:
    if log_kappa.ndim != 1 or log_kappa.shape != cosine.shape:
        raise ModelError(
            f"log κ {tuple(log_kappa.shape)} and cosines {tuple(cosine.shape)}: the loss takes N of each; "
            "squeeze the N×1 of a head"
        )


def _result_dtype(log_kappa: Tensor, cosine: Tensor) -> torch.dtype:
    return torch.float64 if torch.float64 in (log_kappa.dtype, cosine.dtype) else torch.float32
