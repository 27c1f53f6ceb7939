"""A backbone and its uncertainty head as one module, the way a file of weights holds them."""

from typing import Any

from torch import Tensor, nn

from facepipe import uncertainty
from facepipe.backbones import Backbone
from facepipe.uncertainty import UncertaintyHead
from facepipe.zoo.card import Uncertainty


class Headed(nn.Module):
    """The names of its weights begin with ``backbone.`` and ``head.``.

    Args:
        backbone: any.
        head: made for the backbone's feature maps, see `head_for`.
    """

    def __init__(self, backbone: Backbone, head: UncertaintyHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def layers(self) -> dict[str, nn.Module]:
        """None by which it could be cut."""
        return {}

    def parts(self) -> tuple[Backbone, UncertaintyHead]:
        """The backbone and its head."""
        return self.backbone, self.head

    def published_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]] | None:  # noqa: ARG002
        """None: those of `Backbone.published_groups` are of a backbone alone."""
        return None

    def frozen_weights(self) -> dict[str, Tensor]:
        """As `Backbone.frozen_weights`."""
        return {}


Trainable = Backbone | Headed
"""What is trained: both say in the same methods what training asks of a network."""


def head_for(backbone: Backbone, settings: Uncertainty) -> UncertaintyHead:
    """A fresh head that fits the backbone's feature maps.

    Raises:
        ModelError: the head or an option is unknown or impossible.
    """
    return uncertainty.create(
        settings.head,
        feature_shape=backbone.feature_shape,
        embedding_dim=backbone.embedding_dim,
        stage_channels=backbone.stage_channels,
        **settings.options,
    )
