"""Margins, which modify the cosines before the cross entropy. A new one is one function."""

from typing import Protocol

import torch
from torch import Tensor, nn

from facepipe.losses.classification.class_weights import ClassWeights


class Margin(Protocol):
    """Cosines of a shard of classes → logits of the same shard.

    A margin acts on each class independently (only the target entry is special), so classes can be sharded over
    ranks. It can be a plain function, a frozen dataclass, or a module if it learns a scale or a bias.
    """

    def __call__(self, cosine: Tensor, norm: Tensor, label: Tensor, step: int, /) -> Tensor:
        """Logits N×C.

        Args:
            cosine: N×C cosines of features with the classes held here.
            norm: N feature norms.
            label: N, int64: column of the target class, −1 if it is on another shard.
            step: training step, from 1.
        """


class ClassificationHead(nn.Module):
    """Features and class weights → logits. The general form; :class:`MarginHead` is the common case.

    Attributes:
        projected: the class weights are row-normalised in place before each forward pass.
    """

    projected: bool = False

    def forward(self, features: Tensor, classes: ClassWeights, label: Tensor, step: int) -> Tensor:
        """Logits N×C of features N×D; ``label`` N is −1 if the target class is on another shard."""
        raise NotImplementedError

    def logged(self, step: int) -> dict[str, float]:  # noqa: ARG002
        """Values that depend on the step alone, such as an annealed λ."""
        return {}


class MarginHead(ClassificationHead):
    """A head that depends only on cosines and feature norms."""

    def __init__(self, margin: Margin, *, projected: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.projected = projected

    def forward(self, features: Tensor, classes: ClassWeights, label: Tensor, step: int) -> Tensor:
        cosine, norm = classes.cosine(features, projected=self.projected)
        return self.margin(cosine, norm, label, step)

    def logged(self, step: int) -> dict[str, float]:
        values = getattr(self.margin, "logged", None)
        return {} if values is None else dict(values(step))


def target(matrix: Tensor, label: Tensor) -> Tensor:
    """The target entry N of each row of N×C; any entry of the row where ``label`` is −1."""
    return matrix.gather(1, label.clamp_min(0)[:, None])[:, 0]


def replace_target(matrix: Tensor, label: Tensor, value: Tensor) -> Tensor:
    """A copy of N×C with ``value`` N in the target entries; rows with label −1 are unchanged."""
    column = label.clamp_min(0)[:, None]
    kept = matrix.gather(1, column)
    return matrix.scatter(1, column, torch.where(label[:, None] >= 0, value[:, None], kept))
