"""Distillation: a student learns the directions of a teacher's embeddings; names and strangers, where known, join in.

``features`` are the student's, ``labels`` the numbers of the samples, under which targets and classes are kept.
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
    """Which samples are strangers to each other, and how much that counts.

    Attributes:
        groups: int64 M, group of each sample, ``NO_GROUP`` where it is of none; those of one group are a person each.
        weight: of `strangers_term`.
        margin, scale: of `strangers_term`.
        trust: weight of a stranger's target in the cosine term, in the place of 1: the teacher is weak just there.
    """

    groups: Tensor
    weight: float
    margin: float
    scale: float
    trust: float = 1.0


class Distillation(Loss):
    """a·mean_i (1 − u_iᵀt_i) + b·mean_{i≠j} (u_iᵀu_j − t_iᵀt_j)² + c·identity loss of the labelled samples, and
    d·`strangers_term` of the samples that have a group.

    u_i is the student's unit embedding of sample i and t_i the teacher's. The first term is the squared
    distance ½‖u_i − t_i‖²; the second, which keeps the angles between faces, is RKD's idea (Park et al.,
    Relational Knowledge Distillation, CVPR 2019, Eq. 1) with cosines and a square. A sample whose target is
    zero has no target; a term for which a batch has no sample is 0. Strangers count with ``strangers.trust`` in the
    first mean and not at all in the second, since it is their angles that the last term changes.

    ``logged``: ``teacher_cosine`` (mean u_iᵀt_i), ``relational``, ``strangers`` (the term), ``strangers_close`` (share
    of those pairs with a cosine above 2·margin), and what the identity loss logs.

    Where ``ask`` is given, t_i is what it says of the crops of the batch, and ``targets`` only begin the classes.

    Attributes:
        targets: M×D float32 buffer, unit rows or zero; M is the number of samples.
        classes_of: M int64 buffer, class of each sample, −1 where it is not known.
        groups: M int64 buffer, ``strangers.groups``, or ``NO_GROUP`` everywhere.
        identity: a margin loss, or None; its class weights start at the mean targets of the classes.
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
        ask: Callable[[Tensor], Tensor] | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        super().__init__()
        # Not kept in checkpoints: they belong to the data, and may be larger than the network.
        self.register_buffer("targets", unit_rows(targets.float())[0], persistent=False)
        self.register_buffer("classes_of", classes_of.long(), persistent=False)
        groups = torch.full_like(self.classes_of, NO_GROUP) if strangers is None else strangers.groups.long()
        self.register_buffer("groups", groups, persistent=False)
        self.strangers = strangers
        self.cosine = cosine
        self.relational = relational
        self.identity = identity
        self.identity_weight = identity_weight
        self.ask = ask
        self._teacher_features: Tensor | None = None
        if identity is not None:
            with torch.no_grad():
                identity.classes.weight.copy_(self.class_means(identity.classes.total))

    def class_means(self, classes: int) -> Tensor:
        """Unit mean target of each class, C×D; the zero vector for a class without any."""
        known = self.classes_of >= 0
        sums = self.targets.new_zeros(classes, self.targets.shape[1])
        sums.index_add_(0, self.classes_of[known], self.targets[known])
        return unit_rows(sums)[0]

    def class_rows(self) -> Tensor | None:
        """One direction for each class, C×D: the class weights where they are learnt, else the mean targets; None where
        the targets come from ``ask`` alone."""
        if self.identity is not None:
            return self.identity.classes.weight.detach()
        if self.ask is not None:
            return None
        return self.class_means(int(self.classes_of.max()) + 1)

    def show_crops(self, crops: Tensor) -> None:
        self._teacher_features = None if self.ask is None else self.ask(crops)

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        check_batch(features, labels, self.targets.shape[1], len(self.targets))
        features = widen(features)
        target = (self.targets[labels] if self._teacher_features is None else self._teacher_features).to(features.dtype)
        has_target, groups = (target != 0).any(1).to(features.dtype), self.groups[labels]
        with outside_autocast(features):
            student = unit_rows(features)[0]
            loss, logged = self._of_teacher(student, target, has_target, groups != NO_GROUP)
            if self.strangers is not None:
                apart = strangers_term(student, groups, self.strangers.margin, self.strangers.scale)
                loss = loss + self.strangers.weight * apart
                logged["strangers"] = apart.detach()
                logged["strangers_close"] = close_strangers(student, groups, 2 * self.strangers.margin)
        if self.identity is not None:
            named = self._identity(features, self.classes_of[labels], step)
            loss = loss + self.identity_weight * named.loss
            logged |= {"identity": named.loss.detach()} | named.logged
        return LossOutput(loss, logged)

    def _of_teacher(
        self, student: Tensor, target: Tensor, has_target: Tensor, stranger: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The terms that the teacher decides, and what is logged of them."""
        trust = 1.0 if self.strangers is None else self.strangers.trust
        weight = torch.where(stranger, trust * has_target, has_target)
        own, count = (student * target).sum(1), weight.sum().clamp_min(1e-9)
        loss = self.cosine * (weight - own * weight).sum() / count
        logged = {"teacher_cosine": ((own * has_target).sum() / has_target.sum().clamp_min(1)).detach()}
        if self.relational:
            relational = _relational(student, target, has_target * ~stranger)
            loss = loss + self.relational * relational
            logged["relational"] = relational.detach()
        return loss, logged

    def _identity(self, features: Tensor, label: Tensor, step: int) -> LossOutput:
        assert self.identity is not None
        known = label >= 0
        if not known.any():
            # Ranks exchange gradients, so each must have one, be it zero.
            nothing = torch.stack([parameter.sum() for parameter in self.identity.parameters()]).sum() * 0
            return LossOutput(nothing, {})
        named: LossOutput = self.identity(features[known], label[known], step)
        return named


def _relational(student: Tensor, target: Tensor, has_target: Tensor) -> Tensor:
    """Mean over pairs i≠j that have targets of (u_iᵀu_j − t_iᵀt_j)²."""
    pair = has_target[:, None] * has_target[None, :]
    pair = pair - torch.diag(pair.diagonal())
    difference = student @ student.T - target @ target.T
    return (difference * difference * pair).sum() / pair.sum().clamp_min(1)
