"""A network cut in two behind one of its layers: the lower part stays as it is, the upper one is trained."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.backbones import Backbone
from facepipe.embedding.fold import fold_batch_norm
from facepipe.errors import ModelError
from facepipe.zoo.headed import Trainable


def lower(net: Trainable, until: str) -> nn.Module:
    """Crops N×3×H×W → the map N×C×h×w behind the layer called ``until``: a copy, to be run only.

    Raises:
        ModelError: the network is no mobilenet, or has no such layer.
    """
    network, place = _place(net, until)
    layers = nn.Sequential(*list(network.layers().values())[:place])
    return fold_batch_norm(copy.deepcopy(layers).eval().requires_grad_(False), network.input_size)


class Upper(nn.Module):
    """The map behind the layer called ``until`` → the embedding N×D, not normalised. It shares the weights of ``net``.

    The layers below are switched to ``requires_grad = False``.

    Raises:
        ModelError: as `lower`.
    """

    def __init__(self, net: Trainable, until: str) -> None:
        super().__init__()
        self.net, self._first = _place(net, until)
        for layer in list(self.net.layers().values())[: self._first]:
            layer.requires_grad_(False)

    def forward(self, kept: Tensor) -> Tensor:
        """Embeddings of kept maps N×C×h×w, float32."""
        for layer in list(self.net.layers().values())[self._first :]:
            kept = layer(kept)
        return self.net.head(kept)


def keep_statistics(net: nn.Module) -> None:
    """Let batch norms go by the mean and variance they have, not by those of a batch of one sex and origin."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()


def as_map(kept: np.ndarray) -> Tensor:
    """float16 N×h×w×C → float32 N×C×h×w, channels last in memory, as it came."""
    return torch.from_numpy(kept).permute(0, 3, 1, 2).float()


def _place(net: Trainable, until: str) -> tuple[Backbone, int]:
    """The network, and the number of its first layer above the cut."""
    names = list(net.layers())
    if not names:
        raise ModelError(f"freeze.until = {until!r}: only a mobilenet can be cut; leave it empty to train all layers")
    if until not in names:
        raise ModelError(f"freeze.until = {until!r}: no such layer; there are {', '.join(names)}")
    return net.parts()[0], names.index(until) + 1
