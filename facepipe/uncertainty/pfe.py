"""PFE's head: one variance per dimension of the embedding."""

import math
from collections.abc import Sequence

from torch import Tensor

from facepipe.uncertainty.head import UncertaintyHead
from facepipe.uncertainty.registry import register
from facepipe.uncertainty.sigma import SigmaLayers


class PFEHead(UncertaintyHead):
    """Flattened feature map → ``hidden`` → D values log σ²; γ is initially 10⁻⁴ and β −7, so σ² is e⁻⁷."""

    kind = "sigma2"

    def __init__(self, feature_shape: tuple[int, int, int], embedding_dim: int, hidden: int, decay: float) -> None:
        super().__init__(feature_shape, embedding_dim)
        self.layers = SigmaLayers(math.prod(feature_shape), hidden, embedding_dim, 1e-4, -7.0, decay)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log σ², N×D."""
        out: Tensor = self.layers(self.last_map(stages).flatten(1))
        return out


@register(kind="sigma2", paper="Shi and Jain, Probabilistic Face Embeddings, ICCV 2019")
def pfe(
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...],  # noqa: ARG001
    *,
    hidden: int = 512,
    decay: float = 0.995,
) -> PFEHead:
    return PFEHead(feature_shape, embedding_dim, hidden, decay)
