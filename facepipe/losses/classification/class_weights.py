"""The class matrix: one row per identity, or the rows of one shard of the identities."""

import math

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.losses.classification.angle import unit_rows


class ClassWeights(nn.Module):
    """The C×D class matrix W, float32, and optionally one bias per class.

    Initialised as Caffe's "xavier": U(−√(3/D), √(3/D)), bias 0 (wy1iu/sphereface ``filler.hpp``; the fan-in
    of the class layer is D).

    Attributes:
        weight: C×D parameter (C is the number of classes held here).
        bias: C parameter or None.
        first: index of the first class held here; 0 unless sharded.
        total: total number of classes.
    """

    bias: nn.Parameter | None

    def __init__(self, num_classes: int, embedding_dim: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_dim))
        self.register_parameter("bias", nn.Parameter(torch.empty(num_classes)) if bias else None)
        self.first = 0
        self.total = num_classes
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise the weights from torch's global generator, and the bias with 0."""
        bound = math.sqrt(3 / self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def keep_shard(self, first: int, stop: int) -> None:
        """Keep only classes first … stop−1; call it before creating an optimiser.

        Taking shards from the whole matrix makes the initial weights independent of the number of ranks.

        Raises:
            ModelError: the range is empty or exceeds the classes held here.
        """
        held = range(self.first, self.first + len(self.weight))
        if not held.start <= first < stop <= held.stop:
            raise ModelError(
                f"class shard {first} … {stop}: choose a non-empty range within {held.start} … {held.stop}"
            )
        rows = slice(first - self.first, stop - self.first)
        self.weight = nn.Parameter(self.weight.detach()[rows].clone())
        if self.bias is not None:
            self.bias = nn.Parameter(self.bias.detach()[rows].clone())
        self.first = first

    def local(self, labels: Tensor) -> Tensor:
        """Global labels N → row indices N here, −1 for classes on another shard."""
        row = labels.long() - self.first
        return torch.where((row >= 0) & (row < len(self.weight)), row, torch.full_like(row, -1))

    @torch.no_grad()
    def project_(self) -> None:
        """Row-normalise W in place, outside the gradient, as the A-Softmax layer does.

        Zero rows stay zero.
        """
        # Through .data: normalising a unit row again changes it by at most rounding, so a graph of an earlier
        # forward pass remains valid and must not fail autograd's version check.
        self.weight.data.copy_(unit_rows(self.weight.data)[0])

    def cosine(self, features: Tensor, *, projected: bool = False) -> tuple[Tensor, Tensor]:
        """Cosines N×C of features N×D with the classes, and the feature norms N.

        Args:
            projected: the rows are already unit (:meth:`project_`); the gradient then does not go through
                w/‖w‖ and keeps its radial part, as in the official layers.
        """
        direction, norm = unit_rows(features)
        weight = self.weight.to(features.dtype)
        if not projected:
            weight = unit_rows(weight)[0]
        return direction @ weight.T, norm

    def inner(self, features: Tensor) -> Tensor:
        """Inner products N×C, plus the bias if there is one."""
        bias = None if self.bias is None else self.bias.to(features.dtype)
        return nn.functional.linear(features, self.weight.to(features.dtype), bias)

    @torch.no_grad()
    def target_cosine(self, features: Tensor, label: Tensor) -> Tensor:
        """Cosine N of each feature with its class; 0 where ``label`` is −1 (on another shard)."""
        direction = unit_rows(self.weight[label.clamp_min(0)].to(features.dtype))[0]
        return (unit_rows(features)[0] * direction).sum(1) * (label >= 0)
