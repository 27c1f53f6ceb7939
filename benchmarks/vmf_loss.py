"""The r-vMF loss and its backward pass, compared with the published implementation, in one run on the CPU.

    python benchmarks/vmf_loss.py [--dim 512] [--batch 1024] [--rounds 50] [--passes 10] [--threads N] [--features]

The published implementation (Sphere Confidence Face) takes e^−κ I_v(κ) from SciPy in an autograd function: κ goes to
the CPU as an array, and the backward pass calls SciPy again for orders v−1 and v. Three rows represent it:

  published      as its program does it: three calls, each after two numpy.isclose tests that single out v = 0 and 1
  three calls    without these tests
  two calls      the leanest that SciPy allows: the value of the forward pass is kept for the backward pass

All take the same float32 log κ and cosines; a pass computes the loss of each sample and the gradient of their mean in
log κ, as in SCF training. With --features a pass includes the cosines on all sides: of N×d directions with the
centres of their classes. Each side makes --passes in a row, and the sides take turns, so that a busy machine slows
all. With --passes 1 each pass finds the CPU's caches as the others left them. Prints milliseconds per pass,
and the median over rounds of the speed-up of facepipe.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.special import i0e, i1e, ive
from torch import Tensor
from torch.nn.functional import normalize

from facepipe.losses import RVMFLoss

Loss = Callable[[Tensor, Tensor], Tensor]


class Keeping(torch.autograd.Function):
    """e^−κ I_v(κ) with derivative I_{v−1}e^−κ − (v+κ)/κ · I_v e^−κ, the second factor kept: two SciPy calls."""

    @staticmethod
    def forward(ctx: Any, v: float, kappa: Tensor) -> Tensor:
        """Value for a batch of κ."""
        value = by_scipy(v, kappa)
        ctx.v = v
        ctx.save_for_backward(kappa, value)
        return value

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[None, Tensor]:
        """Derivative by recurrence."""
        kappa, value = ctx.saved_tensors
        return None, outer * (by_scipy(ctx.v - 1, kappa) - value * (ctx.v + kappa) / kappa)


class Asking(torch.autograd.Function):
    """The same, asking again in the backward pass, through itself: three SciPy calls."""

    @staticmethod
    def forward(ctx: Any, v: float, kappa: Tensor, tested: bool) -> Tensor:
        """Value for a batch of κ; ``tested`` looks for orders 0 and 1 first."""
        ctx.v, ctx.tested = v, tested
        ctx.save_for_backward(kappa)
        return by_scipy(v, kappa, tested)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[None, Tensor, None]:
        """Derivative by recurrence."""
        (kappa,) = ctx.saved_tensors
        lower, same = (Asking.apply(order, kappa, ctx.tested) for order in (ctx.v - 1, ctx.v))
        return None, outer * (lower - same * (ctx.v + kappa) / kappa), None


def by_scipy(v: float, kappa: Tensor, tested: bool = False) -> Tensor:
    """e^−κ I_v(κ), there and back."""
    array = kappa.detach().cpu().numpy()
    if tested and np.isclose(v, 0):
        array = i0e(array)
    elif tested and np.isclose(v, 1):
        array = i1e(array)
    else:
        array = ive(v, array)
    return torch.from_numpy(array).to(kappa)


def published(bessel: Loss, dim: int, radius: float, log_kappa: Tensor, cosine: Tensor) -> Tensor:
    """The loss per sample with the published floors of 1e-6."""
    kappa = log_kappa.exp()
    value = torch.log(1e-6 + bessel(dim / 2 - 1, kappa)) + kappa
    constant = dim / 2 * math.log(2 * math.pi) + dim * math.log(radius)
    return -kappa * cosine - (dim / 2 - 1) * torch.log(1e-6 + kappa) + value + constant


def of_features(loss: Loss, mu: Tensor, centres: Tensor) -> Loss:
    """The loss with its cosines from directions and centres, N×d each."""
    return lambda log_kappa, _: loss(log_kappa, (mu * centres).sum(1))


def timed(loss: Loss, log_kappa: Tensor, cosine: Tensor, weight: Tensor, passes: int) -> float:
    """Seconds of a forward and backward pass, mean of several."""
    began = time.perf_counter()
    for _ in range(passes):
        torch.autograd.grad(loss(log_kappa, cosine), log_kappa, weight)
    return (time.perf_counter() - began) / passes


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--passes", type=int, default=10, help="in a row, in each round")
    parser.add_argument("--threads", type=int, default=0, help="0 leaves PyTorch's choice")
    parser.add_argument("--features", action="store_true", help="the cosines are part of the pass")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    log_kappa = math.log(options.dim) + 0.5 * torch.randn(options.batch, generator=generator)
    cosine = 0.5 + 0.4 * (torch.rand(options.batch, generator=generator) - 0.5)
    log_kappa.requires_grad_()
    weight = torch.full((options.batch,), 1 / options.batch)
    ours = RVMFLoss(options.dim)
    bessels = {
        "published": lambda v, kappa: Asking.apply(v, kappa, True),
        "three calls": lambda v, kappa: Asking.apply(v, kappa, False),
        "two calls": Keeping.apply,
    }
    sides: dict[str, Loss] = {"facepipe": ours}
    sides |= {name: partial(published, bessel, options.dim, ours.radius) for name, bessel in bessels.items()}
    if options.features:
        mu, centres = (normalize(torch.randn(options.batch, options.dim, generator=generator)) for _ in range(2))
        sides = {name: of_features(loss, mu, centres) for name, loss in sides.items()}
    inputs = (log_kappa, cosine, weight, options.passes)
    for loss in sides.values():
        timed(loss, *inputs)
    rounds = [[timed(loss, *inputs) for loss in sides.values()] for _ in range(options.rounds)]
    what = f"d = {options.dim}, batch {options.batch}, {torch.get_num_threads()} threads"
    print(f"{what}, {options.rounds} rounds of {options.passes} passes")
    print(f"{'loss and backward':20}{'best ms':>10}{'median ms':>12}{'facepipe is':>14}")
    for name, seconds in zip(sides, zip(*rounds, strict=True), strict=True):
        ratio = statistics.median(own / turn[0] for own, turn in zip(seconds, rounds, strict=True))
        faster = "" if name == "facepipe" else f"{ratio:12.1f} ×"
        print(f"{name:20}{1e3 * min(seconds):10.3f}{1e3 * statistics.median(seconds):12.3f}{faster}")


if __name__ == "__main__":
    main()
