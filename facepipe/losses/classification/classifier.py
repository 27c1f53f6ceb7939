"""A loss over identities: class weights, a head, a reduction; whole, or its classes spread over ranks."""

from typing import Protocol

import torch
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.margin import ClassificationHead
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen
from facepipe.losses.reduction import Reduction, SoftmaxCrossEntropy


class Penalty(Protocol):
    """A further term of the loss, besides the classification."""

    def __call__(self, features: Tensor, classes: ClassWeights, label: Tensor, /) -> Tensor:
        """One value N per sample; their mean is added."""


class ClassificationLoss(Loss):
    """scale · mean_i reduction(head(x_i, W)) + mean_i penalty_i.

    Whole: ``forward``. Sharded over S ranks: each rank calls :meth:`keep_shard` once, then per step
    :meth:`partial` on the features of **all** ranks, gathers the N×5 results into S×N×5 and calls
    :meth:`total`. If a rank puts its own live ``partial`` among detached copies of the others', the
    gradients of its class weights are exact, and the sum over ranks of its feature gradients (and of those
    of parameters outside ``classes``, such as a learned scale) is exact too.

    ``logged``: ``target_cosine`` (mean cosine with the own class), ``accuracy`` (share of samples whose
    target logit, margin included, is the largest), ``penalty`` where there is one, and what the head logs
    (``lambda``, ``m``).

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
        """Itself."""
        return self

    def keep_shard(self, first: int, stop: int) -> None:
        """Keep only classes first … stop−1 on this rank (before the optimiser is made).

        Raises:
            ModelError: the range leaves the classes, or this loss cannot be sharded.
        """
        if not self.shardable:
            raise ModelError("this loss compares classes with each other: train it without class sharding")
        self.classes.keep_shard(first, stop)

    def logits(self, features: Tensor, labels: Tensor, step: int) -> Tensor:
        """Logits N×C of the classes held here, margin applied to the target; labels are of the whole problem.

        Where the head asks for it, the class weights are first row-normalised in place.
        """
        check_batch(features, labels, self.classes.weight.shape[1], self.classes.total)
        features = widen(features)
        with outside_autocast(features):
            if self.head.projected:
                self.classes.project_()
            logits: Tensor = self.head(features, self.classes, self.classes.local(labels), step)
        return logits

    def partial(self, features: Tensor, labels: Tensor, step: int) -> Tensor:
        """What this shard contributes: N×5, to be gathered over shards for :meth:`total`."""
        logits = self.logits(features, labels, step)
        features = widen(features)
        label = self.classes.local(labels)
        here = label >= 0
        own = logits.gather(1, label.clamp_min(0)[:, None])[:, 0]
        with outside_autocast(features):
            cosine = self.classes.target_cosine(features, label)
            term = self.reduction.partial(logits, label)
            none = torch.zeros_like(own)
            penalty = none if self.penalty is None else self.penalty(features, self.classes, label)
        # The shard that holds the target carries the penalty, so that it counts once.
        columns = (term, torch.where(here, own, none), torch.where(here, penalty, none))
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
