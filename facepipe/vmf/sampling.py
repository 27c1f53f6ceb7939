"""Rejection sampling from the von Mises-Fisher distribution (Ulrich 1984, corrected by Wood 1994)."""

import torch
from torch import Tensor

from facepipe.errors import EmbeddingsError
from facepipe.vmf.density import in_double


def sample(mu: Tensor, kappa: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one direction per row from the von Mises-Fisher distribution with its mean and concentration.

    The cosine w with the mean is drawn by rejection; the rest of the direction is uniform. Both come from one
    normal vector g: (1 + g₁/‖g‖)/2 has Wood's Beta((d−1)/2, (d−1)/2) distribution, independent of the direction
    of (g₂, …, g_d). About two of three proposals are accepted for any d and κ.

    Args:
        mu: N×d mean directions, of any length above 0, d ≥ 2; float32 or float64.
        kappa: N, finite and ≥ 0; 0 gives the uniform distribution.
        generator: on the device of ``mu``; None uses PyTorch's default.

    Returns:
        N×d unit rows in the dtype of ``mu``.

    Raises:
        EmbeddingsError: the shapes do not match, or a κ is negative or not finite.
    """
    if mu.ndim != 2 or mu.shape[1] < 2 or kappa.shape != mu.shape[:1]:
        raise EmbeddingsError(
            f"means {tuple(mu.shape)} and kappa {tuple(kappa.shape)}: sampling takes N×d with d ≥ 2, and N"
        )
    if not bool(torch.isfinite(kappa).all()) or bool((kappa < 0).any()):
        raise EmbeddingsError("kappa must be finite and not negative for sampling")
    out = torch.empty_like(mu)
    open_rows = torch.arange(len(mu), device=mu.device)
    while len(open_rows):
        g = torch.randn(len(open_rows), mu.shape[1], dtype=mu.dtype, device=mu.device, generator=generator)
        u = torch.rand(len(open_rows), dtype=mu.dtype, device=mu.device, generator=generator)
        upright, accepted = _proposed(g, in_double(u), in_double(kappa[open_rows]))
        out[open_rows[accepted]] = upright[accepted]
        open_rows = open_rows[~accepted]
    return _turned(out, mu)


def _proposed(g: Tensor, u: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """Directions N×d around the first axis, and which of them to accept.

    Wood's formulas with b = (d−1)/(2κ + √(4κ² + (d−1)²)), D = 1 − (1−b)z and x₀ = (1−b)/(1+b), rearranged to
    avoid cancellation for large κ and w near 1: 1−w = 2bz/D, 1+w = 2(1−z)/D,
    w − x₀ = 2b(1−2z)/((1+b)D), (1 − x₀w)/(1 − x₀²) = (1+b)/2D.
    """
    free = g.shape[1] - 1
    first = in_double(g[:, 0]) / torch.linalg.vector_norm(in_double(g), dim=1)
    z, rest = (1 + first) / 2, (1 - first) / 2
    b = free / (2 * kappa + torch.hypot(2 * kappa, kappa.new_tensor(float(free))))
    D = rest + b * z
    gain = kappa * (-2 * b * first) / ((1 + b) * D) + free * torch.log((1 + b) / (2 * D))
    w, sine = (rest - b * z) / D, 2 * torch.sqrt(b * z * rest) / D
    side = g[:, 1:] * (sine / torch.linalg.vector_norm(in_double(g[:, 1:]), dim=1)).to(g.dtype)[:, None]
    return torch.cat([w.to(g.dtype)[:, None], side], dim=1), gain >= torch.log(u)


def _turned(upright: Tensor, mu: Tensor) -> Tensor:
    """Directions around the first axis, reflected so that the axis maps to ``mu``."""
    normal = -mu / torch.linalg.vector_norm(mu, dim=1, keepdim=True)
    normal[:, 0] += 1
    squared = normal.square().sum(1, keepdim=True)
    # mu on the first axis: the reflection is the identity.
    factor = torch.where(squared > 0, 2 / squared, torch.zeros_like(squared))
    return upright - factor * (upright * normal).sum(1, keepdim=True) * normal
