"""CosFace, also known as AM-Softmax: an additive margin on the target cosine."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor

from facepipe.losses.classification.margin import replace_target, target
from facepipe.losses.registry import register_margin


@register_margin(
    paper="Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, CVPR 2018",
    alias="am_softmax",
)
def cosface(
    cosine: Tensor,
    _norm: Tensor,
    label: Tensor,
    _step: int,
    *,
    s: PositiveFloat = 64.0,
    m: Annotated[float, Field(ge=0, le=2)] = 0.35,
) -> Tensor:
    """Logits s(cos θ_y − m) for the target and s·cos θ_j for the others (CosFace Eq. 4).

    The same function as AM-Softmax (Wang et al. 2018), whose defaults are s = 30, m = 0.35.

    Args:
        s: scale, the common norm of all features.
        m: margin in cosine, at most 2, the largest difference of two cosines.
    """
    return s * replace_target(cosine, label, target(cosine, label) - m)
