"""The default kappa head: a small network on per-channel statistics of the feature maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepipe.uncertainty.head import UncertaintyHead, log_kappa, set_initial_kappa
from facepipe.uncertainty.registry import register

_PAPER = "none; the loss is that of Li et al., Spherical Confidence Learning for Face Recognition, CVPR 2021"


class CompactHead(UncertaintyHead):
    """Mean, maximum and standard deviation of each channel's map → ``hidden`` → 1.

    It accepts feature maps of any size, on which the number of weights does not depend. The statistics are
    standardised by batch norm, so that one initial learning rate suits every backbone.

    Args:
        feature_shape: (C, h, w).
        embedding_dim: D, for the initial κ.
        stage_channels: channels of the backbone's stages to use; empty for the last map alone.
        hidden: units of the hidden layer.
        initial_kappa: κ of a new head; 0 means D.
    """

    kind = "kappa"

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        embedding_dim: int,
        stage_channels: tuple[int, ...],
        hidden: int,
        initial_kappa: float,
    ) -> None:
        super().__init__(feature_shape)
        self.stage_count = max(1, len(stage_channels))
        channels = sum(stage_channels) or feature_shape[0]
        self.norm = nn.BatchNorm1d(3 * channels)
        self.hidden = nn.Linear(3 * channels, hidden)
        self.out = nn.Linear(hidden, 1)
        set_initial_kappa(self.out, initial_kappa, embedding_dim)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log κ, N×1."""
        self.last_map(stages)
        used = stages[-self.stage_count :]
        statistics = torch.cat([_statistics(self.to_weight_dtype(stage)) for stage in used], dim=1)
        out: Tensor = self.out(torch.relu(self.hidden(self.norm(statistics))))
        return log_kappa(out)


def _statistics(stage: Tensor) -> Tensor:
    """N×3C of N×C×h×w."""
    pixels = stage.flatten(2)
    mean = pixels.mean(2)
    variance = (pixels - mean[..., None]).square().mean(2)
    # The square root is not differentiable at 0, the variance of a dead channel.
    return torch.cat([mean, pixels.amax(2), (variance + 1e-8).sqrt()], dim=1)


@register(kind="kappa", paper=_PAPER)
def compact(
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...],
    *,
    hidden: int = 64,
    stages: bool = True,
    initial_kappa: float = 0.0,
) -> CompactHead:
    return CompactHead(feature_shape, embedding_dim, stage_channels if stages else (), hidden, initial_kappa)
