"""ProbFace's head: one variance per face, from the feature maps of all stages."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.uncertainty.head import UncertaintyHead
from facepipe.uncertainty.registry import register
from facepipe.uncertainty.sigma import SigmaLayers


class ProbFaceHead(UncertaintyHead):
    """Flattened last map and the mean of each channel of every stage → ``hidden`` → log σ².

    γ is initially 0.1 and β −1, so σ² is 0.37. For ResFace64 at 96×96 the input has 6·6·512 + 64 + 128 + 256 + 512 =
    19,392 features.

    Args:
        stage_channels: channels of the backbone's stages; empty for the flattened map alone.
    """

    kind = "sigma2"

    def __init__(
        self, feature_shape: tuple[int, int, int], stage_channels: tuple[int, ...], hidden: int, decay: float
    ) -> None:
        super().__init__(feature_shape)
        self.stage_count = len(stage_channels)
        self.layers = SigmaLayers(math.prod(feature_shape) + sum(stage_channels), hidden, 1, 0.1, -1.0, decay)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log σ², N×1."""
        pooled = [self.to_weight_dtype(stage).mean((2, 3)) for stage in stages[len(stages) - self.stage_count :]]
        out: Tensor = self.layers(torch.cat([self.last_map(stages).flatten(1), *pooled], dim=1))
        return out


@register(kind="sigma2", paper="Chen et al., Reliable Probabilistic Face Embeddings in the Wild (ProbFace), 2021")
def probface(
    feature_shape: tuple[int, int, int],
    embedding_dim: int,  # noqa: ARG001
    stage_channels: tuple[int, ...],
    *,
    hidden: int = 256,
    fusion: bool = True,
    decay: float = 0.995,
) -> ProbFaceHead:
    if fusion and not stage_channels:
        raise ModelError("uncertainty head probface: this backbone has no stages to fuse; set fusion = false")
    return ProbFaceHead(feature_shape, stage_channels if fusion else (), hidden, decay)
