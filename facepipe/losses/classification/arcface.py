"""ArcFace: an additive margin on the target angle."""

import math
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from facepipe.losses.classification.angle import sine
from facepipe.losses.classification.margin import replace_target, target
from facepipe.losses.registry import register_margin


@register_margin(
    paper="Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019",
)
def arcface(
    cosine: Tensor,
    _norm: Tensor,
    label: Tensor,
    _step: int,
    *,
    s: PositiveFloat = 64.0,
    m: Annotated[float, Field(ge=0, lt=math.pi)] = 0.5,
) -> Tensor:
    """Logits s·cos(θ_y + m) for the target and s·cos θ_j for the others (ArcFace Eq. 3).

    cos(θ+m) = cos θ cos m − sin θ sin m. Beyond θ + m = π, where it would increase again, the target logit is
    s(cos θ − m·sin m), which decreases with θ (the authors' code with easy_margin off).

    Args:
        s: scale, the common norm of all features.
        m: margin in radians, in [0, π).
    """
    target_cosine = target(cosine, label)
    shifted = target_cosine * math.cos(m) - sine(target_cosine) * math.sin(m)
    beyond = target_cosine - m * math.sin(m)
    return s * replace_target(cosine, label, torch.where(target_cosine > -math.cos(m), shifted, beyond))
