"""The base class of all uncertainty heads, and the bounds of their output."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError

HeadKind = Literal["kappa", "sigma2"]
FLOOR = 1e-6
CEILING = 1e8
"""Largest κ. A head trained at too high a learning rate recovers from it; without it e^out overflows beyond 88."""


class UncertaintyHead(nn.Module):
    """A network from the feature maps of a backbone to log κ (N×1) or log σ² (N×1 or N×D).

    Attributes:
        kind: ``kappa`` or ``sigma2``.
        outputs: outputs per face, 1 or D.
        feature_shape: (C, h, w) of the backbone's last feature map.
    """

    kind: ClassVar[HeadKind]

    def __init__(self, feature_shape: tuple[int, int, int], outputs: int = 1) -> None:
        super().__init__()
        self.feature_shape = feature_shape
        self.outputs = outputs

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """log κ or log σ², N×``outputs``, from the outputs N×C×h×w of the backbone's stages, finest first.

        Stages can have any floating dtype; a head computes in that of its weights. The last stage is the feature map,
        which is all that some heads need.
        """
        raise NotImplementedError

    def last_map(self, stages: Sequence[Tensor]) -> Tensor:
        """The last feature map, N×C×h×w.

        Raises:
            ModelError: its shape is not the one the head was built for.
        """
        last = stages[-1]
        if tuple(last.shape[1:]) != self.feature_shape:
            got, wanted = ("×".join(map(str, shape)) for shape in (last.shape, self.feature_shape))
            raise ModelError(f"{type(self).__name__}: the feature map must be N×{wanted}, got {got}")
        return self.to_weight_dtype(last)

    def to_weight_dtype(self, stage: Tensor) -> Tensor:
        """The stage in the dtype of the head's weights; the backbone may run in bfloat16."""
        return stage.to(next(self.parameters()).dtype)


def floored(out: Tensor) -> Tensor:
    """log(10⁻⁶ + e^out), as in SCF, PFE and ProbFace, without overflow of e^out."""
    return torch.logaddexp(out, out.new_tensor(math.log(FLOOR)))


def log_kappa(out: Tensor) -> Tensor:
    """``floored`` with a smooth ceiling at log 10⁸, which lowers κ = 1000 by one part in 10⁵."""
    return -torch.logaddexp(-floored(out), out.new_tensor(-math.log(CEILING)))


def set_initial_kappa(layer: nn.Linear, initial_kappa: float, embedding_dim: int, random: bool = False) -> None:
    """Initialise the last layer to output log ``initial_kappa`` for any input.

    With random weights κ ≈ 1, where the loss is hundreds of nats from its optimum and the first steps are unstable.
    0 means κ = d, the optimum at cos θ = 0.62 in any dimension.

    Args:
        layer: the last layer, with PyTorch's random initial weights.
        initial_kappa: κ of a new head, or 0.
        embedding_dim: d.
        random: keep the random weights, as the published programs do.

    Raises:
        ModelError: ``initial_kappa`` is negative or above the ceiling, or given for a random layer.
    """
    if random:
        if initial_kappa:
            raise ModelError(
                f"initial_kappa = {initial_kappa:g} and random_last_layer = true exclude each other; set only one"
            )
        return
    if not 0 <= initial_kappa < CEILING:
        raise ModelError(f"initial_kappa must be at least 0 and below {CEILING:g}, got {initial_kappa:g}")
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, math.log(initial_kappa or embedding_dim))
