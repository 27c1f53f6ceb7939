"""Exponential moving average of a network's weights."""

import copy

import torch

from facepipe.zoo.headed import Trainable


class Average:
    """w̄ ← d·w̄ + (1−d)·w after every step, in float32; what is not floating point is copied.

    Attributes:
        net: a copy of the network that holds the average, in evaluation mode.
    """

    def __init__(self, net: Trainable, decay: float) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, net: Trainable) -> None:
        """Take one step towards the weights and buffers of ``net``."""
        ours, theirs = self.net.state_dict(), net.state_dict()
        floating = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[n] for n in floating], [theirs[n] for n in floating], 1 - self.decay)
        for name in ours.keys() - set(floating):
            ours[name].copy_(theirs[name])
