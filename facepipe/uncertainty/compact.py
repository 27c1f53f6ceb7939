"""The default kappa head: a few numbers per channel of the feature maps, and a small network on them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepipe.uncertainty.head import UncertaintyHead, log_kappa, set_initial_kappa
from facepipe.uncertainty.registry import register

_PAPER = "none; the loss is that of Li et al., Spherical Confidence Learning for Face Recognition, CVPR 2021"


class CompactHead(UncertaintyHead):
    """Mean, largest value and standard deviation of each channel's map → ``hidden`` → 1.

    Any size of feature map fits, and the number of weights does not depend on it. The statistics are standardised
    by batch norm, so that one initial rate suits every backbone.

    Args:
        feature_shape: (C, h, w).
        embedding_dim: D, for the initial κ.
        stage_channels: of the backbone; all stages are used if ``stages`` is set, otherwise the last alone.
        hidden: units of the hidden layer.
        initial_kappa: κ of a fresh head; 0 takes D.
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
        seen = torch.cat([_statistics(self.in_own_dtype(stage)) for stage in stages[-self.stage_count :]], dim=1)
        out: Tensor = self.out(torch.relu(self.hidden(self.norm(seen))))
        return log_kappa(out)


def _statistics(stage: Tensor) -> Tensor:
    """N×3C of N×C×h×w."""
    places = stage.flatten(2)
    mean = places.mean(2)
    spread = (places - mean[..., None]).square().mean(2)
    # The square root has no slope at 0, where a dead channel is.
    return torch.cat([mean, places.amax(2), (spread + 1e-8).sqrt()], dim=1)


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
