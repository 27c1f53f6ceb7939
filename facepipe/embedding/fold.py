"""Batch norm folded into the layer before it, for networks that are only run."""

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

N = TypeVar("N", bound=nn.Module)


def fold_batch_norm(network: N) -> N:
    """Replace, in place, every convolution or dense layer and the batch norm right after it by one layer.

    "Right after" is read from the order in which a module names its parts, which in facepipe's backbones is the
    order in which they run. What comes out differs by rounding only.

    Args:
        network: a backbone in evaluation mode.
    """
    for parent in list(network.modules()):
        parts = list(parent.named_children())
        for (name, layer), (norm_name, norm) in pairwise(parts):
            folded = _folded(layer, norm)
            if folded is not None:
                setattr(parent, name, folded)
                setattr(parent, norm_name, nn.Identity())
    return network


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and layer.out_channels == norm.num_features:
        return fuse_conv_bn_eval(layer, norm)
    if isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d) and layer.out_features == norm.num_features:
        return fuse_linear_bn_eval(layer, _with_scale(norm))
    return None


def _with_scale(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    """The same batch norm with a scale and shift, which PyTorch's fusion of dense layers needs."""
    if norm.affine:
        return norm
    full = nn.BatchNorm1d(norm.num_features, norm.eps).eval()
    full.load_state_dict(norm.state_dict(), strict=False)
    return full.to(norm.running_mean)
