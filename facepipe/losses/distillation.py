"""Distillation: a student learns the directions of a teacher's embeddings, with optional identity and stranger terms.

``features`` are the student's; ``labels`` are sample indices, by which targets and classes are looked up.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facepipe.losses.classification.angle import unit_rows
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.loss import Loss, LossOutput, check_batch, outside_autocast, widen
from facepipe.losses.strangers import NO_GROUP, close_strangers, strangers_term


@dataclass(frozen=True)
class Strangers:
    """Which samples are strangers to each other, and the weight of that term.

    Attributes:
        groups: int64 M, group of each sample, or ``NO_GROUP``; samples of a group all show different people.
        weight: of `strangers_term`.
        margin, scale: of `strangers_term`.
        trust: weight of a stranger's target in the cosine term instead of 1, since the teacher is weak on strangers.
    """

    groups: Tensor
    weight: float
    margin: float
    scale: float
    trust: float = 1.0


class Distillation(Loss):
    """a·mean_i (1 − u_iᵀt_i) + b·mean_{i≠j} (u_iᵀu_j − t_iᵀt_j)² + c·identity loss of the labelled samples, and
    d·`strangers_term` of the samples in groups.

    u_i is the student's unit embedding of sample i and t_i the teacher's. The first term is the squared
    distance ½‖u_i − t_i‖²; the second, which preserves the angles between faces, is RKD's (Park et al.,
    Relational Knowledge Distillation, CVPR 2019, Eq. 1) with cosines and a square. A sample whose target is
    zero has no target; a term without samples in the batch is 0. Strangers have weight ``strangers.trust`` in the
    first mean and 0 in the second, because the last term is meant to change their angles.

    ``logged``: ``teacher_cosine`` (mean u_iᵀt_i), ``relational``, ``strangers`` (the term), ``strangers_close`` (share
    of those pairs with a cosine above 2·margin), and the values logged by the identity loss.

    With ``teacher``, t_i is its output for the crops of the batch, and ``targets`` only initialise the classes.

    Attributes:
        targets: M×D float32 buffer, unit rows or zero; M is the number of samples.
        classes_of: M int64 buffer, class of each sample, −1 if unknown.
        groups: M int64 buffer, ``strangers.groups``, or ``NO_GROUP`` everywhere.
        identity: a margin loss, or None; its class weights are initialised with the mean targets of the classes.
    """

    targets: Tensor
    classes_of: Tensor
    groups: Tensor

    def __init__(
        self,
        targets: Tensor,
        classes_of: Tensor,
        *,
        cosine: float = 1.0,
        relational: float = 0.0,
        identity: ClassificationLoss | None = None,
        identity_weight: float = 0.0,
        teacher: Callable[[Tensor], Tensor] | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        super().__init__()
        # Not saved in checkpoints: they belong to the data, and may be larger than the network.
        self.register_buffer("targets", unit_rows(targets.float())[0], persistent=False)
        self.register_buffer("classes_of", classes_of.long(), persistent=False)
        groups = torch.full_like(self.classes_of, NO_GROUP) if strangers is None else strangers.groups.long()
        self.register_buffer("groups", groups, persistent=False)
        self.strangers = strangers
        self.cosine = cosine
        self.relational = relational
        self.identity = identity
        self.identity_weight = identity_weight
        self.teacher = teacher
        self._teacher_features: Tensor | None = None
        if identity is not None:
            with torch.no_grad():
                identity.classes.weight.copy_(self.class_means(identity.classes.total))

    def class_means(self, classes: int) -> Tensor:
        """Unit mean target of each class, C×D; zero for a class without targets."""
        known = self.classes_of >= 0
        sums = self.targets.new_zeros(classes, self.targets.shape[1])
        sums.index_add_(0, self.classes_of[known], self.targets[known])
        return unit_rows(sums)[0]

    def class_rows(self) -> Tensor | None:
        """One direction per class, C×D: the learned class weights if any, else the mean targets; None if targets come
        from ``teacher`` alone."""
        if self.identity is not None:
            return self.identity.classes.weight.detach()
        if self.teacher is not None:
            return None
        return self.class_means(int(self.classes_of.max()) + 1)

    def show_crops(self, crops: Tensor) -> None:
        self._teacher_features = None if self.teacher is None else self.teacher(crops)

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        check_batch(features, labels, self.targets.shape[1], len(self.targets))
        features = widen(features)
        target = (self.targets[labels] if self._teacher_features is None else self._teacher_features).to(features.dtype)
        has_target, groups = (target != 0).any(1).to(features.dtype), self.groups[labels]
        with outside_autocast(features):
            student = unit_rows(features)[0]
            loss, logged = self._teacher_terms(student, target, has_target, groups != NO_GROUP)
            if self.strangers is not None:
                term = strangers_term(student, groups, self.strangers.margin, self.strangers.scale)
                loss = loss + self.strangers.weight * term
                logged["strangers"] = term.detach()
                logged["strangers_close"] = close_strangers(student, groups, 2 * self.strangers.margin)
        if self.identity is not None:
            named = self._identity(features, self.classes_of[labels], step)
            loss = loss + self.identity_weight * named.loss
            logged |= {"identity": named.loss.detach()} | named.logged
        return LossOutput(loss, logged)

    def _teacher_terms(
        self, student: Tensor, target: Tensor, has_target: Tensor, stranger: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The cosine and relational terms, and their logged values."""
        trust = 1.0 if self.strangers is None else self.strangers.trust
        weight = torch.where(stranger, trust * has_target, has_target)
        cosine, count = (student * target).sum(1), weight.sum().clamp_min(1e-9)
        loss = self.cosine * (weight - cosine * weight).sum() / count
        logged = {"teacher_cosine": ((cosine * has_target).sum() / has_target.sum().clamp_min(1)).detach()}
        if self.relational:
            relational = _relational(student, target, has_target * ~stranger)
            loss = loss + self.relational * relational
            logged["relational"] = relational.detach()
        return loss, logged

    def _identity(self, features: Tensor, label: Tensor, step: int) -> LossOutput:
        assert self.identity is not None
        known = label >= 0
        if not known.any():
            # Ranks reduce gradients, so each must have one, even if zero.
            nothing = torch.stack([parameter.sum() for parameter in self.identity.parameters()]).sum() * 0
            return LossOutput(nothing, {})
        named: LossOutput = self.identity(features[known], label[known], step)
        return named


def _relational(student: Tensor, target: Tensor, has_target: Tensor) -> Tensor:
    """Mean of (u_iᵀu_j − t_iᵀt_j)² over pairs i≠j with targets."""
    pair = has_target[:, None] * has_target[None, :]
    pair = pair - torch.diag(pair.diagonal())
    difference = student @ student.T - target @ target.T
    return (difference * difference * pair).sum() / pair.sum().clamp_min(1)
