"""A trained network and the one it began as, averaged weight by weight."""

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

_Net = TypeVar("_Net", bound=nn.Module)


@torch.no_grad()
def interpolate_weights(net: _Net, begun: Mapping[str, Tensor], share: float) -> _Net:
    """A copy of ``net`` with weights share·begun + (1 − share)·net.

    A network that was trained on from a good one loses a little of what the good one knew and was not asked for; on the
    way back to it both are often better than at either end (Wortsman et al., Robust Fine-tuning of Zero-shot Models,
    CVPR 2022, Eq. 2).

    Args:
        net: of any mode, which stays as it is.
        begun: tensors by the names of ``net.state_dict()``; those that are not floating point stay those of ``net``.
        share: from 0 to 1.
    """
    mixed = copy.deepcopy(net)
    for name, tensor in mixed.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(begun[name].to(tensor), share)
    return mixed
