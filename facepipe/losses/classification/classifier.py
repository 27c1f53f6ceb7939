"""A classification loss over identities: class weights, a head and a reduction, optionally sharded over ranks."""

from typing import Protocol

import torch
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.margin import ClassificationHead
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen
from facepipe.losses.reduction import Reduction, SoftmaxCrossEntropy


class Penalty(Protocol):
    """An additional term of the loss."""

    def __call__(self, features: Tensor, classes: ClassWeights, label: Tensor, /) -> Tensor:
        """One value N per sample; their mean is added to the loss."""


class ClassificationLoss(Loss):
    """scale · mean_i reduction(head(x_i, W)) + mean_i penalty_i.

    Unsharded: ``forward``. Sharded over S ranks: each rank calls :meth:`keep_shard` once, then per step
    :meth:`partial` on the features of **all** ranks, gathers the N×5 results into S×N×5 and calls
    :meth:`total`. If a rank keeps its ``partial`` attached to the graph and the others' detached, the
    gradients of its class weights are exact, and so is the sum over ranks of the gradients of features (and
    of parameters outside ``classes``, such as a learned scale).

    ``logged``: ``target_cosine`` (mean cosine with the target class), ``accuracy`` (share of samples whose
    target logit, margin included, is the largest), ``penalty`` if there is one, and the values logged by the
    head (``lambda``, ``m``).

    Attributes:
        classes: the class matrix, or this rank's shard of it.
        head: features and classes → logits.
        shardable: False when the penalty compares classes with each other.
    """

    def __init__(
        self,
        classes: ClassWeights,
        head: ClassificationHead,
        *,
        reduction: Reduction | None = None,
        scale: float = 1.0,
        penalty: Penalty | None = None,
        shardable: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.head = head
        self.reduction = reduction or SoftmaxCrossEntropy()
        self.scale = scale
        self.penalty = penalty
        self.shardable = shardable

    @property
    def class_weights(self) -> ClassWeights:
        """``classes``."""
        return self.classes

    @property
    def classification(self) -> "ClassificationLoss":
        """The loss itself."""
        return self

    def keep_shard(self, first: int, stop: int) -> None:
        """Keep only classes first … stop−1 on this rank; call it before creating the optimiser.

        Raises:
            ModelError: the range exceeds the classes, or this loss cannot be sharded.
        """
        if not self.shardable:
            raise ModelError("this loss compares classes with each other: train it without class sharding")
        self.classes.keep_shard(first, stop)

    def logits(self, features: Tensor, labels: Tensor, step: int) -> Tensor:
        """Logits N×C of the classes held here, margin applied to the target; labels are global.

        A ``projected`` head first row-normalises the class weights in place.
        """
        check_batch(features, labels, self.classes.weight.shape[1], self.classes.total)
        features = widen(features)
        with outside_autocast(features):
            if self.head.projected:
                self.classes.project_()
            logits: Tensor = self.head(features, self.classes, self.classes.local(labels), step)
        return logits

    def partial(self, features: Tensor, labels: Tensor, step: int) -> Tensor:
        """The contribution of this shard, N×5, to be gathered over shards for :meth:`total`."""
        logits = self.logits(features, labels, step)
        features = widen(features)
        label = self.classes.local(labels)
        local = label >= 0
        target = logits.gather(1, label.clamp_min(0)[:, None])[:, 0]
        with outside_autocast(features):
            cosine = self.classes.target_cosine(features, label)
            term = self.reduction.partial(logits, label)
            zero = torch.zeros_like(target)
            penalty = zero if self.penalty is None else self.penalty(features, self.classes, label)
        # Only the shard that holds the target adds the penalty, so that it counts once.
        columns = (term, torch.where(local, target, zero), torch.where(local, penalty, zero))
        return torch.stack((*columns, logits.detach().amax(1), cosine.detach()), dim=1)

    def total(self, parts: Tensor, step: int) -> LossOutput:
        """The loss from the contributions S×N×5 of all S shards."""
        terms, targets, penalties, largest, cosine = parts.unbind(2)
        penalty = penalties.sum(0).mean()
        loss = self.scale * self.reduction.combine(terms, targets).mean() + penalty
        logged = {
            "target_cosine": cosine.sum(0).mean().detach(),
            "accuracy": (targets.sum(0) >= largest.amax(0)).to(parts.dtype).mean().detach(),
        }
        if self.penalty is not None:
            logged["penalty"] = penalty.detach()
        logged |= {name: torch.tensor(value) for name, value in self.head.logged(step).items()}
        return LossOutput(loss, logged)

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        return self.total(self.partial(features, labels, step)[None], step)
