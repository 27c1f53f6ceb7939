"""A network split after one of its layers: the lower part is frozen, the upper part is trained."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.backbones import Backbone
from facepipe.embedding.fold import fold_batch_norm
from facepipe.errors import ModelError
from facepipe.zoo.headed import Trainable


def lower(net: Trainable, until: str) -> nn.Module:
    """Crops N×3×H×W → the map N×C×h×w after layer ``until``: a copy for inference only.

    Raises:
        ModelError: the network is not a mobilenet, or has no such layer.
    """
    network, place = _place(net, until)
    layers = nn.Sequential(*list(network.layers().values())[:place])
    return fold_batch_norm(copy.deepcopy(layers).eval().requires_grad_(False), network.input_size)


class Upper(nn.Module):
    """The map after layer ``until`` → the embedding N×D, not normalised. Shares the weights of ``net``.

    The layers below get ``requires_grad = False``.

    Raises:
        ModelError: as `lower`.
    """

    def __init__(self, net: Trainable, until: str) -> None:
        super().__init__()
        self.net, self._first = _place(net, until)
        for layer in list(self.net.layers().values())[: self._first]:
            layer.requires_grad_(False)

    def forward(self, maps: Tensor) -> Tensor:
        """Embeddings of cached maps N×C×h×w, float32."""
        for layer in list(self.net.layers().values())[self._first :]:
            maps = layer(maps)
        return self.net.head(maps)


def keep_statistics(net: nn.Module) -> None:
    """Make batch norms use their running mean and variance, not those of a batch of one sex and origin."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()


def as_map(cached: np.ndarray) -> Tensor:
    """float16 N×h×w×C → float32 N×C×h×w, still channels last in memory."""
    return torch.from_numpy(cached).permute(0, 3, 1, 2).float()


def _place(net: Trainable, until: str) -> tuple[Backbone, int]:
    """The network, and the index of its first layer above the split."""
    names = list(net.layers())
    if not names:
        raise ModelError(f"freeze.until = {until!r}: only a mobilenet can be split; leave it empty to train all layers")
    if until not in names:
        raise ModelError(f"freeze.until = {until!r}: no such layer; the layers are {', '.join(names)}")
    return net.parts()[0], names.index(until) + 1
