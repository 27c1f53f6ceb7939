"""The base class of all losses: features and labels in, a scalar and logged values out."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from facepipe.errors import DatasetError, ModelError

if TYPE_CHECKING:
    from facepipe.losses.classification.class_weights import ClassWeights
    from facepipe.losses.classification.classifier import ClassificationLoss


class LossOutput(NamedTuple):
    """The value of a loss on one batch.

    Attributes:
        loss: scalar, float32 (float64 for float64 features), to call ``backward()`` on.
        logged: name → 0-d tensor, detached; call ``.item()`` only when logging, since it synchronises with the GPU.
    """

    loss: Tensor
    logged: dict[str, Tensor]


class Loss(nn.Module, ABC):
    """A training loss, with its own parameters if it learns any (class weights, a bias, a scale).

    A loss computes in float32 whatever the features' dtype, and outside autocast; call ``backward()``
    outside it too, as torch requires.

    Attributes:
        published: logged values named as in the original program; TensorBoard shows them by these names.
        takes_centres: whether ``set_centres`` must be called with the classes' mean embeddings before training.
        shardable: whether the classes can be sharded over ranks; see
            `facepipe.losses.classification.classifier.ClassificationLoss`.
    """

    published: ClassVar[tuple[str, ...]] = ()
    takes_centres: ClassVar[bool] = False
    shardable: bool = False

    @property
    def class_weights(self) -> "ClassWeights | None":
        """The trained class weights, one row per class; None if there are none."""
        return None

    @property
    def classification(self) -> "ClassificationLoss | None":
        """The loss itself if it is a classification loss; None for others, and for losses that wrap one."""
        return None

    def class_rows(self) -> Tensor | None:
        """A vector per class of this rank, C×D, detached, to be saved with a finished model; None without classes."""
        weights = self.class_weights
        return None if weights is None else weights.weight.detach()

    def set_centres(self, centres: Tensor) -> None:  # noqa: ARG002
        """Set the mean embeddings of the classes, float32 C×D; ignored unless ``takes_centres``."""
        return

    def show_crops(self, crops: Tensor) -> None:  # noqa: ARG002
        """Called before each batch with its crops N×3×H×W, normalised as for the network; ignored by most losses."""
        return

    @abstractmethod
    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        """The loss of one batch.

        Args:
            features: N×D embeddings, not normalised; float32, bfloat16, float16 or float64.
            labels: N class indices, int64, 0 … num_classes−1.
            step: number of this training step, counted from 1; annealed losses depend on it.

        Raises:
            ModelError: features are not N×D with the D of this loss.
            DatasetError: labels do not match the features, or are out of range (checked on the CPU only, where it
                is free).
        """


def widen(features: Tensor) -> Tensor:
    """Features in at least float32: 16-bit cosines are too coarse for margins and scales of 64."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def outside_autocast(features: Tensor) -> torch.autocast:
    """A context in which matrix products keep the dtype of their operands, as cosines need."""
    return torch.autocast(features.device.type, enabled=False)


def check_batch(features: Tensor, labels: Tensor, embedding_dim: int | None, num_classes: int | None) -> None:
    """Check the shapes and labels of a batch; ``None`` leaves a size unchecked.

    Raises:
        ModelError: features of the wrong shape.
        DatasetError: labels of the wrong shape or dtype, or outside 0 … num_classes−1 (CPU only).
    """
    shape = tuple(features.shape)
    if features.ndim != 2 or embedding_dim not in (None, shape[1]):
        raise ModelError(
            f"features of shape {shape}: this loss takes N×{embedding_dim or 'D'};"
            " create it with the backbone's embedding_dim"
        )
    if labels.shape != features.shape[:1] or labels.is_floating_point():
        raise DatasetError(
            f"labels of shape {tuple(labels.shape)} and type {labels.dtype} for {shape[0]} features:"
            " give one integer class index per feature"
        )
    if num_classes is None or labels.device.type != "cpu" or not len(labels):
        return
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= num_classes:
        raise DatasetError(
            f"labels run from {lowest} to {highest} but the loss has {num_classes} classes (0 …"
            f" {num_classes - 1}); create it with the data set's num_classes"
        )
