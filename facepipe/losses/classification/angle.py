"""Directions, sines and angles whose gradients stay finite at singular points."""

import torch
from torch import Tensor

# Below this norm a vector's direction has no meaningful gradient.
SMALLEST_NORM = 1e-12


def unit_rows(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Rows divided by their length, and the lengths.

    The unit row of a zero vector is zero and passes no gradient.

    Args:
        vectors: N×D, floating point.

    Returns:
        unit rows N×D and norms N, in the dtype of the input.
    """
    norm = torch.linalg.vector_norm(vectors, dim=1)
    known = norm > SMALLEST_NORM
    inverse = known / torch.where(known, norm, torch.ones_like(norm))
    return vectors * inverse[:, None], norm


def safe_sqrt(values: Tensor) -> Tensor:
    """Square root; 0 with zero gradient for values of at most one machine epsilon."""
    positive = values > torch.finfo(values.dtype).eps
    # The inner where keeps 1/√0 out of the gradient, which a single where would turn into 0·∞.
    root = torch.where(positive, values, torch.ones_like(values)).sqrt()
    return torch.where(positive, root, torch.zeros_like(root))


def sine(cosine: Tensor) -> Tensor:
    """√(1−c²), the sine of an angle in [0, π]; 0 with zero gradient at c = ±1."""
    return safe_sqrt(1 - cosine * cosine)


def angle(cosine: Tensor) -> Tensor:
    """arccos c in [0, π], radians; its gradient −1/√(1−c²) is 0 at c = ±1."""
    return torch.atan2(sine(cosine), cosine)
