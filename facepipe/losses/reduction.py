"""Reduce the logits of one or several shards of classes to one loss per sample."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from facepipe.losses.classification.margin import replace_target, target


class Reduction(Protocol):
    """A loss over classes that can be computed shard by shard."""

    def partial(self, logits: Tensor, label: Tensor) -> Tensor:
        """The term N of this shard's classes, from logits N×C and label N (−1: on another shard)."""

    def combine(self, terms: Tensor, targets: Tensor) -> Tensor:
        """Loss N per sample from S×N partial terms and S×N target logits (0 if on another shard)."""


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """−log softmax of the target: log Σ_j e^{z_j} − z_y."""

    def partial(self, logits: Tensor, label: Tensor) -> Tensor:  # noqa: ARG002
        return torch.logsumexp(logits, dim=1)

    def combine(self, terms: Tensor, targets: Tensor) -> Tensor:
        return torch.logsumexp(terms, dim=0) - targets.sum(0)


@dataclass(frozen=True)
class BinarySum:
    """Σ over classes of weighted logistic losses: a·log(1+e^{−z_y}) + b·Σ_{j≠y} log(1+e^{z_j}).

    Attributes:
        target: a, the weight of the target class.
        other: b, the weight of each other class.
    """

    target: float
    other: float

    def partial(self, logits: Tensor, label: Tensor) -> Tensor:
        others = self.other * softplus(logits)
        return replace_target(others, label, self.target * softplus(-target(logits, label))).sum(1)

    def combine(self, terms: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002
        return terms.sum(0)
