"""Folding batch norm into the preceding layer, for inference."""

from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

N = TypeVar("N", bound=nn.Module)
_ROUNDING = 1e-3
"""Tolerance relative to the largest output: float32 rounding over a hundred layers is below it, a wrong fold above."""


def fold_batch_norm(network: N, size: tuple[int, int] | None = None) -> N:
    """Replace, in place, every convolution or dense layer and the batch norm directly after it by one layer.

    "Directly after" refers to the order of submodules, which need not be the order of execution. So a crop of noise is
    run before and after: if the outputs differ by more than rounding, nothing is folded.

    Args:
        network: a backbone, or layers with the same input, in evaluation mode.
        size: (H, W) of its crops; None means its ``input_size``; without either the network is left unchanged.
    """
    height_width = size or getattr(network, "input_size", None)
    pairs = [] if height_width is None else _pairs(network)
    if height_width is None or not pairs:
        return network
    noise = _noise(network, height_width)
    before = _run(network, noise)
    for pair in pairs:
        setattr(pair.parent, pair.layer_name, pair.folded)
        setattr(pair.parent, pair.norm_name, nn.Identity())
    if not _equal(before, _run(network, noise)):
        for pair in pairs:
            setattr(pair.parent, pair.layer_name, pair.layer)
            setattr(pair.parent, pair.norm_name, pair.norm)
    return network


class _Pair(NamedTuple):
    """A layer, the norm that follows it in the same module, and both folded."""

    parent: nn.Module
    layer_name: str
    layer: nn.Module
    norm_name: str
    norm: nn.Module
    folded: nn.Module


def _pairs(network: nn.Module) -> list[_Pair]:
    found = []
    for parent in network.modules():
        for (name, layer), (norm_name, norm) in pairwise(parent.named_children()):
            folded = _folded(layer, norm)
            if folded is not None:
                found.append(_Pair(parent, name, layer, norm_name, norm, folded))
    return found


def _noise(network: nn.Module, size: tuple[int, int]) -> Tensor:
    """1×3×H×W like normalised pixels; does not touch the global random generator."""
    like = next(network.parameters())
    return (torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(like)


@torch.no_grad()
def _run(network: nn.Module, crops: Tensor) -> Tensor:
    with torch.autocast(crops.device.type, enabled=False):
        out: Tensor = network(crops)
    return out


def _equal(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _ROUNDING * one.abs().max())


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and layer.out_channels == norm.num_features:
        return fuse_conv_bn_eval(layer, norm)
    if isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d) and layer.out_features == norm.num_features:
        return fuse_linear_bn_eval(layer, _with_scale(norm))
    return None


def _with_scale(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    """The batch norm with scale and shift added, which PyTorch's fusion of dense layers requires."""
    if norm.affine:
        return norm
    full = nn.BatchNorm1d(norm.num_features, norm.eps).eval()
    full.load_state_dict(norm.state_dict(), strict=False)
    return full.to(norm.running_mean)
