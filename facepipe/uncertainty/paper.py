"""SCF's kappa head as published by its authors: three dense layers on the flattened feature map."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepipe.uncertainty.head import UncertaintyHead, log_kappa, set_initial_kappa
from facepipe.uncertainty.registry import register

SCF_PAPER = "Li et al., Spherical Confidence Learning for Face Recognition, CVPR 2021"


class PaperHead(UncertaintyHead):
    """n → n/2 → n/4 → 1 with ReLU between, n the size of the flattened map, then log(10⁻⁶ + e^out).

    For a 512×7×7 map that is 25088 → 12544 → 6272 → 1, 393 million weights.

    Args:
        feature_shape: (C, h, w) of the map before the backbone's closing batch norm and dropout.
        embedding_dim: d.
        initial_kappa: κ of a new head; 0 means d.
        random_last_layer: as published: keep PyTorch's initial weights of the last layer, which give κ ≈ 1.
    """

    kind = "kappa"

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        embedding_dim: int,
        initial_kappa: float,
        random_last_layer: bool = False,
    ) -> None:
        super().__init__(feature_shape)
        size = math.prod(feature_shape)
        half, quarter = max(1, size // 2), max(1, size // 4)
        self.fc1 = nn.Linear(size, half)
        self.fc2 = nn.Linear(half, quarter)
        self.out = nn.Linear(quarter, 1)
        set_initial_kappa(self.out, initial_kappa, embedding_dim, random_last_layer)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log κ, N×1."""
        flat = self.last_map(stages).flatten(1)
        out: Tensor = self.out(torch.relu(self.fc2(torch.relu(self.fc1(flat)))))
        return log_kappa(out)


@register(kind="kappa", paper=SCF_PAPER)
def paper(
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...],  # noqa: ARG001
    *,
    initial_kappa: float = 0.0,
    random_last_layer: bool = False,
) -> PaperHead:
    return PaperHead(feature_shape, embedding_dim, initial_kappa, random_last_layer)
