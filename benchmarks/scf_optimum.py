"""The optimal κ when it is free: under the r-vMF loss, and under the published floor of 1e-6.

    python benchmarks/scf_optimum.py [--dim 512] [-o docs/scf_optimum.png]

For each fixed cosθ the loss is minimised over log κ by Newton's method with the loss's own first and second
derivatives; a table and a plot compare the results with A_d(κ) = cosθ and κ = (d/2−1)/(1−cosθ).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd import grad

from facepipe.losses import RVMFLoss
from facepipe.vmf import a_d


def fitted(loss: RVMFLoss, cosine: Tensor, steps: int = 200) -> Tensor:
    """κ that minimises the loss at each cosine."""
    log_kappa = torch.full_like(cosine, 6.0)
    for _ in range(steps):
        log_kappa = log_kappa.detach().requires_grad_()
        (slope,) = grad(loss(log_kappa, cosine).sum(), log_kappa, create_graph=True)
        (curvature,) = grad(slope.sum(), log_kappa)
        # Short steps downhill where the loss is not convex in log κ.
        log_kappa = log_kappa - (slope / curvature.abs().clamp_min(1e-9)).clamp(-0.5, 0.5)
    return log_kappa.detach().exp()


def main() -> None:
    """Print the table, write the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/scf_optimum.png"))
    options = parser.parse_args()
    true, floored = RVMFLoss(options.dim), RVMFLoss(options.dim, official_floor=True)
    cosine = torch.arange(0.05, 0.96, 0.05, dtype=torch.float64)
    free, official = fitted(true, cosine), fitted(floored, cosine)
    derived = (options.dim / 2 - 1) / (1 - cosine)
    print(f"{'cosθ':>6}{'κ fitted':>12}{'A_d(κ)':>12}{'κ, floor':>12}{'derived':>12}")
    for row in zip(cosine, free, a_d(options.dim, free), official, derived, strict=True):
        print("{:6.2f}{:12.2f}{:12.8f}{:12.2f}{:12.2f}".format(*(value.item() for value in row)))
    draw(options.output, options.dim, cosine, free, official)


def draw(path: Path, dim: int, cosine: Tensor, free: Tensor, official: Tensor) -> None:
    """The fits as points on the two derived curves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    kappa = torch.logspace(1, 4.2, 400, dtype=torch.float64)
    axes.plot(a_d(dim, kappa), kappa, color="tab:green", label=f"$A_{{{dim}}}(\\kappa)=\\cos\\theta$")
    fine = torch.linspace(0, 0.97, 300, dtype=torch.float64)
    order = dim / 2 - 1
    axes.plot(fine, order / (1 - fine), color="tab:red", label=f"$\\kappa={order:g}/(1-\\cos\\theta)$")
    axes.plot(cosine, free, "o", color="tab:green", label="fitted, facepipe's loss")
    axes.plot(cosine, official, "s", color="tab:red", label="fitted, official floor of $10^{-6}$")
    axes.set(xlabel="$\\cos\\theta$", ylabel="$\\kappa$", yscale="log", xlim=(0, 1), ylim=(10, 15_000))
    axes.grid(which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
