"""The r-vMF loss and its backward pass beside the published way, in one run on the CPU.

    python benchmarks/vmf_loss.py [--dim 512] [--batch 1024] [--rounds 200] [--threads N]

The published way (Sphere Confidence Face) takes the Bessel function from SciPy inside an autograd function:
κ goes to the CPU as an array, e^−κ I_v(κ) comes back, and the backward pass asks SciPy for order v−1. Both
sides take the same float32 log κ and cosines, sum the loss and call backward(); they run in turn, so that a busy
machine slows both. Printed: milliseconds per call, and the median of the rounds' ratios.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from scipy.special import ive
from torch import Tensor

from facepipe.losses import RVMFLoss


class ScipyIve(torch.autograd.Function):
    """e^−κ I_v(κ) by SciPy; derivative I_{v−1}e^−κ − (v+κ)/κ · I_v e^−κ."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, v: float) -> Tensor:
        """Value for a batch of κ."""
        array = kappa.detach().cpu().numpy()
        value = torch.from_numpy(ive(v, array)).to(kappa)
        ctx.v, ctx.array = v, array
        ctx.save_for_backward(kappa, value)
        return value

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        """Derivative by recurrence."""
        kappa, value = ctx.saved_tensors
        lower = torch.from_numpy(ive(ctx.v - 1, ctx.array)).to(kappa)
        return outer * (lower - value * (ctx.v + kappa) / kappa), None


def published(dim: int, radius: float, log_kappa: Tensor, cosine: Tensor) -> Tensor:
    """The loss per sample as the published program computes it."""
    kappa = log_kappa.exp()
    bessel = torch.log(1e-6 + ScipyIve.apply(kappa, dim / 2 - 1)) + kappa
    constant = dim / 2 * math.log(2 * math.pi) + dim * math.log(radius)
    return -kappa * cosine - (dim / 2 - 1) * torch.log(1e-6 + kappa) + bessel + constant


def timed(loss: Callable[[Tensor, Tensor], Tensor], log_kappa: Tensor, cosine: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    log_kappa = log_kappa.clone().requires_grad_()
    began = time.perf_counter()
    loss(log_kappa, cosine).mean().backward()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves PyTorch's choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    log_kappa = math.log(options.dim) + 0.5 * torch.randn(options.batch, generator=generator)
    cosine = 0.5 + 0.4 * (torch.rand(options.batch, generator=generator) - 0.5)
    ours = RVMFLoss(options.dim)

    def theirs(log_kappa: Tensor, cosine: Tensor) -> Tensor:
        return published(options.dim, ours.radius, log_kappa, cosine)

    for _ in range(10):
        timed(ours, log_kappa, cosine), timed(theirs, log_kappa, cosine)
    rounds = [(timed(ours, log_kappa, cosine), timed(theirs, log_kappa, cosine)) for _ in range(options.rounds)]
    rows = {"facepipe": [a for a, _ in rounds], "SciPy ive in autograd": [b for _, b in rounds]}
    print(f"d = {options.dim}, batch {options.batch}, {torch.get_num_threads()} threads, {options.rounds} rounds")
    print(f"{'loss and backward':24}{'best ms':>10}{'median ms':>12}")
    for name, seconds in rows.items():
        print(f"{name:24}{1e3 * min(seconds):10.3f}{1e3 * statistics.median(seconds):12.3f}")
    print(f"median ratio {statistics.median(b / a for a, b in rounds):.1f}")


if __name__ == "__main__":
    main()
