"""A backbone and its uncertainty head as one module, as in a file of weights."""

from typing import Any

from torch import Tensor, nn

from facepipe import uncertainty
from facepipe.backbones import Backbone
from facepipe.uncertainty import UncertaintyHead
from facepipe.zoo.card import Uncertainty


class Headed(nn.Module):
    """A backbone with a head; the names of its weights start with ``backbone.`` and ``head.``.

    Args:
        backbone: any backbone.
        head: a head for the backbone's feature maps, see `head_for`.
    """

    def __init__(self, backbone: Backbone, head: UncertaintyHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def layers(self) -> dict[str, nn.Module]:
        """Empty: it cannot be split."""
        return {}

    def parts(self) -> tuple[Backbone, UncertaintyHead]:
        """The backbone and its head."""
        return self.backbone, self.head

    def published_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]] | None:  # noqa: ARG002
        """None: published groups are for backbones alone."""
        return None

    def frozen_weights(self) -> dict[str, Tensor]:
        """As `Backbone.frozen_weights`."""
        return {}


Trainable = Backbone | Headed
"""A network to train; both classes have the methods that training needs."""


def head_for(backbone: Backbone, settings: Uncertainty) -> UncertaintyHead:
    """A new head for the backbone's feature maps.

    Raises:
        ModelError: the head or an option is unknown or invalid.
    """
    return uncertainty.create(
        settings.head,
        feature_shape=backbone.feature_shape,
        embedding_dim=backbone.embedding_dim,
        stage_channels=backbone.stage_channels,
        **settings.options,
    )
