"""Squared Euclidean distances between the features of a batch."""

from torch import Tensor


def all_squared_distances(features: Tensor) -> Tensor:
    """‖x_i − x_j‖² = ‖x_i‖² + ‖x_j‖² − 2x_iᵀx_j, N×N, of features N×D; clamped to be non-negative."""
    gram = features @ features.T
    squares = gram.diagonal()
    return (squares[:, None] + squares[None, :] - 2 * gram).clamp_min(0)
