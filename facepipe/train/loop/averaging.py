"""Averages of network weights: over the steps of a run, and between a trained network and its initial weights."""

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from facepipe.zoo.headed import Trainable

_Net = TypeVar("_Net", bound=nn.Module)


class MovingAverage:
    """Exponential moving average, w̄ ← d·w̄ + (1−d)·w after every step, in float32; integer buffers are copied.

    Attributes:
        net: a copy of the network that holds the average, in evaluation mode.
    """

    def __init__(self, net: Trainable, decay: float) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, net: Trainable) -> None:
        """Update with the weights and buffers of ``net``."""
        average, current = self.net.state_dict(), net.state_dict()
        floating = [name for name, value in average.items() if value.is_floating_point()]
        torch._foreach_lerp_([average[n] for n in floating], [current[n] for n in floating], 1 - self.decay)
        for name in average.keys() - set(floating):
            average[name].copy_(current[name])


@torch.no_grad()
def interpolate_weights(net: _Net, initial: Mapping[str, Tensor], share: float) -> _Net:
    """A copy of ``net`` with weights share·initial + (1 − share)·net.

    Fine-tuning loses some of what a good initial network could do outside the training data; in between, both abilities
    are often better than at either end (Wortsman et al., Robust Fine-tuning of Zero-shot Models, CVPR 2022, Eq. 2).

    Args:
        net: the trained network, which is not changed.
        initial: tensors by the names of ``net.state_dict()``; integer tensors are taken from ``net``.
        share: from 0 to 1.
    """
    mixed = copy.deepcopy(net)
    for name, tensor in mixed.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(initial[name].to(tensor), share)
    return mixed
