"""The class matrix: one row per identity, or the rows of one shard of the identities."""

import math

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.losses.classification.angle import unit_rows


class ClassWeights(nn.Module):
    """The C×D matrix W that features are compared with, float32, and optionally one bias per class.

    Initialised as Caffe's "xavier": U(−√(3/D), √(3/D)), bias 0 (wy1iu/sphereface ``filler.hpp``; the fan-in
    of the class layer is D).

    Attributes:
        weight: C×D parameter (C is the number of classes kept here).
        bias: C parameter or None.
        first: index of the first class kept here; 0 unless sharded.
        total: number of classes of the whole problem.
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
        """Draw the weights anew from torch's global generator; bias 0."""
        bound = math.sqrt(3 / self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def keep_shard(self, first: int, stop: int) -> None:
        """Keep only classes first … stop−1; to be called before an optimiser sees the parameters.

        Cutting shards out of the whole matrix makes the start of training the same on any number of ranks.

        Raises:
            ModelError: the range is empty or leaves the classes held here.
        """
        held = range(self.first, self.first + len(self.weight))
        if not held.start <= first < stop <= held.stop:
            raise ModelError(
                f"class shard {first} … {stop}: choose a non-empty range inside {held.start} … {held.stop}"
            )
        rows = slice(first - self.first, stop - self.first)
        self.weight = nn.Parameter(self.weight.detach()[rows].clone())
        if self.bias is not None:
            self.bias = nn.Parameter(self.bias.detach()[rows].clone())
        self.first = first

    def local(self, labels: Tensor) -> Tensor:
        """Labels N of the whole problem → row numbers N here, −1 for classes held elsewhere."""
        row = labels.long() - self.first
        return torch.where((row >= 0) & (row < len(self.weight)), row, torch.full_like(row, -1))

    @torch.no_grad()
    def project_(self) -> None:
        """Overwrite W with its row-normalised copy, a step outside the gradient, as the A-Softmax layer does.

        Zero rows stay zero.
        """
        # Through .data: re-projecting a unit row moves it by at most a rounding step, so a graph that an
        # earlier forward built is still good and must not be refused by autograd's version check.
        self.weight.data.copy_(unit_rows(self.weight.data)[0])

    def cosine(self, features: Tensor, *, projected: bool = False) -> tuple[Tensor, Tensor]:
        """Cosines N×C of features N×D with the classes, and the feature norms N.

        Args:
            projected: the rows are unit already (:meth:`project_`); then the gradient does not go through
                w/‖w‖ and keeps its radial part, as in the official layers.
        """
        direction, norm = unit_rows(features)
        weight = self.weight.to(features.dtype)
        if not projected:
            weight = unit_rows(weight)[0]
        return direction @ weight.T, norm

    def inner(self, features: Tensor) -> Tensor:
        """Inner products N×C, plus the bias where there is one."""
        bias = None if self.bias is None else self.bias.to(features.dtype)
        return nn.functional.linear(features, self.weight.to(features.dtype), bias)

    @torch.no_grad()
    def target_cosine(self, features: Tensor, label: Tensor) -> Tensor:
        """Cosine N of each feature with its own class; 0 where ``label`` is −1 (held elsewhere)."""
        own = unit_rows(self.weight[label.clamp_min(0)].to(features.dtype))[0]
        return (unit_rows(features)[0] * own).sum(1) * (label >= 0)
