"""SCF's kappa head as in TFace: convolutions down to 1×1, then three dense layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepipe.uncertainty.head import UncertaintyHead, log_kappa, set_initial_kappa
from facepipe.uncertainty.paper import SCF_PAPER
from facepipe.uncertainty.registry import register


class ConvHead(UncertaintyHead):
    """Three 3×3 convolutions without padding (7×7 → 5×5 → 3×3 → 1×1), pooling, C → C/2 → C/4 → 1.

    ReLU follows the first two, batch norm the last two convolutions. Kernels are never larger than the map: for 7×6,
    the last is 3×2. ``random_last_layer`` is as published; otherwise a new head outputs ``initial_kappa``, or d if
    that is 0.
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
        channels, *sides = feature_shape
        kernels = []
        for _ in range(3):
            kernels.append((min(3, sides[0]), min(3, sides[1])))
            sides = [side - kernel + 1 for side, kernel in zip(sides, kernels[-1], strict=True)]
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(channels, channels, kernel, bias=False) for kernel in kernels)
        self.norm2, self.norm3 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        half, quarter = max(1, channels // 2), max(1, channels // 4)
        self.fc1 = nn.Linear(channels, half)
        self.fc2 = nn.Linear(half, quarter)
        self.out = nn.Linear(quarter, 1)
        set_initial_kappa(self.out, initial_kappa, embedding_dim, random_last_layer)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log κ, N×1."""
        x = torch.relu(self.conv1(self.last_map(stages)))
        x = torch.relu(self.norm2(self.conv2(x)))
        x = self.norm3(self.conv3(x)).mean((2, 3))
        out: Tensor = self.out(torch.relu(self.fc2(torch.relu(self.fc1(x)))))
        return log_kappa(out)


@register(kind="kappa", paper=SCF_PAPER)
def conv(
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...],  # noqa: ARG001
    *,
    initial_kappa: float = 0.0,
    random_last_layer: bool = False,
) -> ConvHead:
    return ConvHead(feature_shape, embedding_dim, initial_kappa, random_last_layer)
