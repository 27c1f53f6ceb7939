"""The loss of ProbFace: mutual likelihood of genuine pairs, an output constraint, and an identity term."""

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from facepipe.losses.loss import LossOutput
from facepipe.losses.registry import register
from facepipe.losses.uncertainty.mls import fast_mls_loss, mls_mean_loss
from facepipe.losses.uncertainty.output_constraint import Form, Norm, output_constraint
from facepipe.losses.uncertainty.uncertainty_loss import UncertaintyLoss
from facepipe.losses.uncertainty.uncertainty_triplet import uncertainty_distance, uncertainty_triplet


@dataclass(frozen=True)
class TermWeights:
    """The weight of each term."""

    mls: float
    constraint: float
    triplet: float


class ProbFaceLoss(UncertaintyLoss):
    """L_S + λ_C·L_C + λ_Id·L_Id; terms of weight 0 are not computed.

    ``logged``: the unweighted ``mls``, ``constraint`` and ``identity``, and the figures of `uncertainty_log`.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, weights: TermWeights, norm: Norm, form: Form, margin: float
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        self.weights, self.norm, self.form, self.margin = weights, norm, form, margin

    def head_loss(self, mu: Tensor, output: Tensor, labels: Tensor) -> LossOutput:
        terms = []
        if self.weights.mls:
            likelihood = fast_mls_loss if output.shape[1] == 1 else mls_mean_loss
            terms.append(("mls", self.weights.mls, likelihood(mu, output, labels)))
        if self.weights.constraint:
            terms.append(("constraint", self.weights.constraint, output_constraint(output, self.norm, self.form)))
        if self.weights.triplet:
            terms.append(("identity", self.weights.triplet, uncertainty_triplet(mu, output, labels, self.margin)))
        loss = output.sum() * 0
        for _, weight, value in terms:
            loss = loss + weight * value
        logged = {name: value.detach() for name, _, value in terms}
        return LossOutput(loss, logged | uncertainty_log(mu, output, labels))


@torch.no_grad()
def uncertainty_log(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Figures to log for a batch, 0-d tensors: ProbFace's ``att_pos``, ``att_neg``, ``s_min`` and ``s_max``.

    ``genuine_distance`` and ``impostor_distance`` are means of `uncertainty_distance` (NaN without such pairs),
    ``sigma2_min`` and ``sigma2_max`` the extremes of σ².

    Args:
        mu: N×D, unit rows.
        log_sigma2: N×K, K = 1 or D.
        labels: N, integers.

    Raises:
        ModelError, DatasetError: shapes that do not match.
    """
    distances = uncertainty_distance(mu, log_sigma2, labels)
    same = labels[:, None] == labels[None, :]
    off_diagonal = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    sigma2 = log_sigma2.exp()
    return {
        "genuine_distance": distances[same & off_diagonal].mean(),
        "impostor_distance": distances[~same].mean(),
        "sigma2_min": sigma2.min(),
        "sigma2_max": sigma2.max(),
    }


@register(
    paper="Chen et al., Reliable Probabilistic Face Embeddings in the Wild (ProbFace), 2021", trains="sigma2"
)
def probface(
    embedding_dim: int,
    num_classes: int,
    *,
    mls: NonNegativeFloat = 1.0,
    constraint: NonNegativeFloat = 0.001,
    norm: Norm = "l1",
    form: Form = "sum",
    triplet: NonNegativeFloat = 0.001,
    margin: NonNegativeFloat = 3.0,
) -> ProbFaceLoss:
    """Mutual likelihood + output constraint + semi-hard triplet on uncertain distances; trains a σ² head.

    Args:
        mls: weight of L_S.
        constraint: weight of L_C, λ_C.
        norm: of L_C: ``l1`` in the paper and in the names of the released runs, ``l2`` in the released configuration.
        form: of L_C: ``mean`` in the paper; ``sum`` with a constant average in the program, for which the weight is
            0.001.
        triplet: weight of L_Id, λ_Id.
        margin: of L_Id.
    """
    return ProbFaceLoss(embedding_dim, num_classes, TermWeights(mls, constraint, triplet), norm, form, margin)
