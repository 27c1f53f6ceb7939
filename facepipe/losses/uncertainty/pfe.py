"""The loss of Probabilistic Face Embeddings: the negative mutual likelihood of genuine pairs."""

from typing import Literal

from pydantic import PositiveFloat
from torch import Tensor

from facepipe.losses.loss import LossOutput
from facepipe.losses.registry import register
from facepipe.losses.uncertainty.mls import mls_mean_loss, mls_sum_loss
from facepipe.losses.uncertainty.uncertainty_loss import UncertaintyLoss

Scale = Literal["sum", "mean"]


class PFELoss(UncertaintyLoss):
    """weight · `mls_sum_loss` or `mls_mean_loss`. ``logged``: ``mls``, ``sigma2_min`` and ``sigma2_max``."""

    def __init__(self, embedding_dim: int, num_classes: int, scale: Scale, weight: float) -> None:
        super().__init__(embedding_dim, num_classes)
        self.mls = mls_sum_loss if scale == "sum" else mls_mean_loss
        self.weight = weight

    def head_loss(self, mu: Tensor, output: Tensor, labels: Tensor) -> LossOutput:
        value = self.mls(mu, output, labels)
        sigma2 = output.detach().exp()
        logged = {"mls": value.detach(), "sigma2_min": sigma2.min(), "sigma2_max": sigma2.max()}
        return LossOutput(self.weight * value, logged)


@register(paper="Shi and Jain, Probabilistic Face Embeddings, ICCV 2019", trains="sigma2")
def pfe(embedding_dim: int, num_classes: int, *, scale: Scale = "sum", weight: PositiveFloat = 1.0) -> PFELoss:
    """Negative mutual likelihood score (PFE Eq. 3), mean over the genuine pairs of a batch; trains a σ² head.

    Args:
        scale: ``sum`` over dimensions with ½ and constant, as the paper; ``mean`` without them, as ProbFace's program.
        weight: factor. PFE's program omits ½ and constant: with 2, ``sum`` has its gradient.
    """
    return PFELoss(embedding_dim, num_classes, scale, weight)
