"""SphereFace-R: three multiplicative margins, three treatments of the feature norm, one simple gradient."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from facepipe.losses.classification.angle import angle
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss, Penalty
from facepipe.losses.classification.margin import MarginHead, replace_target, target
from facepipe.losses.classification.psi import psi_of_angle
from facepipe.losses.registry import register

Version = Literal["v0", "v1", "v2"]
NormMode = Literal["none", "hard", "soft"]
Detachment = Literal["characteristic", "autograd"]


def moved_cosines(cosine: Tensor, label: Tensor, m: float, version: Version) -> Tensor:
    """Cosines N×C after the margin: v0 ψ_m(θ_y), v1 cos(min(mθ_y, π)), v2 cos(θ_j/m) for j ≠ y."""
    target_cosine = target(cosine, label)
    if version == "v0":
        return replace_target(cosine, label, psi_of_angle(target_cosine, m))
    if version == "v1":
        return replace_target(cosine, label, torch.cos((m * angle(target_cosine)).clamp_max(torch.pi)))
    return replace_target(torch.cos(angle(cosine) / m), label, target_cosine)


@dataclass(frozen=True)
class SphereFaceR:
    """The margin: s or ‖x‖ times the modified cosines, with characteristic gradient detachment.

    ``characteristic``: the change made by the margin is treated as constant, so each logit has the gradient of
    its plain cosine. ``autograd``: the derivative of the formula.
    """

    version: Version
    norm: NormMode
    s: float
    m: float
    milestones: tuple[int, ...] = ()
    gradient: Detachment = "characteristic"

    def margin(self, step: int) -> float:
        """m at a step: grows from 1 to m in equal steps, one after each milestone."""
        if not self.milestones:
            return self.m
        passed = bisect_left(sorted(self.milestones), step)
        return 1 + (self.m - 1) * passed / len(self.milestones)

    def __call__(self, cosine: Tensor, norm: Tensor, label: Tensor, step: int, /) -> Tensor:
        m = self.margin(step)
        if self.gradient == "autograd":
            moved = moved_cosines(cosine, label, m, self.version)
        else:
            plain = cosine.detach()
            moved = cosine + (moved_cosines(plain, label, m, self.version) - plain)
        if self.norm == "hard":
            return self.s * moved
        return norm[:, None] * moved

    def logged(self, step: int) -> dict[str, float]:
        return {"m": self.margin(step)}


@dataclass(frozen=True)
class NormPenalty:
    """t·|‖x‖ − s| per sample: soft feature normalisation."""

    s: float
    t: float

    def __call__(self, features: Tensor, _classes: ClassWeights, _label: Tensor, /) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(features, dim=1)
        return self.t * (norm - self.s).abs()


@register(paper="Liu et al., SphereFace Revived: Unifying Hyperspherical Face Recognition, TPAMI 2022")
def sphereface_r(
    embedding_dim: int,
    num_classes: int,
    *,
    version: Version = "v2",
    norm: NormMode = "hard",
    s: PositiveFloat = 60.0,
    m: Annotated[float, Field(ge=1)] = 1.4,
    milestones: tuple[int, ...] = (),
    t: NonNegativeFloat = 0.01,
    loss_weight: PositiveFloat = 50.0,
    gradient: Detachment = "characteristic",
    projected: bool = True,
) -> ClassificationLoss:
    """Cross entropy of multiplicative-margin logits; defaults of ydwen/opensphere ``spherefacer.py``.

    Versions: ``v0`` the original ψ_m(θ_y) for any real m; ``v1`` cos(min(mθ_y, π)); ``v2`` keeps the
    target's cosine and raises the others to cos(θ_j/m).

    Feature norm: ``none`` logits ‖x‖·c; ``hard`` logits s·c, the cross entropy times loss_weight/s; ``soft``
    logits ‖x‖·c, the cross entropy times loss_weight/s, plus the mean of t·|‖x‖ − s|.

    Args:
        s: scale (hard: 30 to 60) or desired feature norm (soft); unused with ``none``.
        m: margin, at least 1.
        milestones: steps after which m grows by an equal amount, from 1 to m; empty: m from the start.
        t: strength of the soft normalisation.
        loss_weight: 50 in the released code; unused with ``none``.
        gradient: ``characteristic`` detaches the change made by the margin, ``autograd`` does not.
        projected: row-normalise W in place before each step, as released; False: differentiate through w/‖w‖.
    """
    margin = SphereFaceR(version, norm, s, m, milestones, gradient)
    penalty: Penalty | None = NormPenalty(s, t) if norm == "soft" else None
    scale = 1.0 if norm == "none" else loss_weight / s
    head = MarginHead(margin, projected=projected)
    return ClassificationLoss(ClassWeights(num_classes, embedding_dim), head, scale=scale, penalty=penalty)
