"""A backbone and its uncertainty head as one module, the way a file of weights holds them."""

from torch import nn

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
