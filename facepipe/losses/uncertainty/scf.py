"""The loss of Sphere Confidence Face: κ models the concentration of a face around the centre of its class."""

import torch
from pydantic import PositiveFloat
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.classification.angle import unit_rows
from facepipe.losses.loss import LossOutput
from facepipe.losses.registry import register
from facepipe.losses.uncertainty.r_vmf import RVMFLoss
from facepipe.losses.uncertainty.uncertainty_loss import UncertaintyLoss


class SCFLoss(UncertaintyLoss):
    """`RVMFLoss` with fixed class centres, mean over the batch.

    ``logged``: ``kappa`` (mean), ``total_loss`` and the three terms, named as in the published program, and
    ``target_cosine``, the mean cosine with the centre of the target class.

    Attributes:
        centres: C×D buffer, float32, unit rows; zero until `set_centres`.
    """

    published = (
        "kappa",
        "total_loss",
        "neg_kappa_times_cos_theta",
        "neg_dim_scalar_times_log_kappa",
        "log_iv_kappa",
    )
    takes_centres = True
    centres: Tensor

    def __init__(self, embedding_dim: int, num_classes: int, radius: float, official_floor: bool) -> None:
        super().__init__(embedding_dim, num_classes)
        self.r_vmf = RVMFLoss(embedding_dim, radius, official_floor)
        self.register_buffer("centres", torch.zeros(num_classes, embedding_dim))

    def set_centres(self, centres: Tensor) -> None:
        """Set class centres C×D of any length.

        Raises:
            ModelError: the shape does not match.
        """
        if centres.shape != self.centres.shape:
            got, wanted = ("×".join(map(str, shape)) for shape in (centres.shape, self.centres.shape))
            raise ModelError(f"class centres are {got}, but the loss needs {wanted}")
        self.centres.copy_(unit_rows(centres.to(self.centres))[0])

    def head_loss(self, mu: Tensor, output: Tensor, labels: Tensor) -> LossOutput:
        cosine = (mu * self.centres.index_select(0, labels).to(mu.dtype)).sum(1)
        log_kappa = output[:, 0]
        loss = self.r_vmf(log_kappa, cosine).mean()
        with torch.no_grad():
            terms = self.r_vmf.terms(log_kappa, cosine)
            logged = {name: term.mean() for name, term in terms._asdict().items()}
            logged |= {"kappa": log_kappa.exp().mean(), "total_loss": loss.detach(), "target_cosine": cosine.mean()}
        return LossOutput(loss, logged)


@register(paper="Li et al., Spherical Confidence Learning for Face Recognition, CVPR 2021", trains="kappa")
def scf(
    embedding_dim: int,
    num_classes: int,
    *,
    radius: PositiveFloat = 64.0,
    official_floor: bool = False,
) -> SCFLoss:
    """−κ cosθ − log C_d(κ) + d log r, θ between a face and the fixed centre of its class; trains a κ head.

    Args:
        radius: r of the sphere; shifts the loss, not its gradient.
        official_floor: the published program's loss, with 1e-6 inside the logarithms; see `RVMFLoss`.
    """
    return SCFLoss(embedding_dim, num_classes, radius, official_floor)
