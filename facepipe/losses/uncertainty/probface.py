"""ProbFace: mutual likelihood of genuine pairs, an output constraint, and an identity term."""

from dataclasses import dataclass

from pydantic import NonNegativeFloat
from torch import Tensor

from facepipe.losses.loss import LossOutput
from facepipe.losses.registry import register
from facepipe.losses.uncertainty.mls import fast_mls_loss, mls_mean_loss
from facepipe.losses.uncertainty.output_constraint import Form, Norm, output_constraint
from facepipe.losses.uncertainty.uncertainty_log import uncertainty_log
from facepipe.losses.uncertainty.uncertainty_loss import UncertaintyLoss
from facepipe.losses.uncertainty.uncertainty_triplet import uncertainty_triplet


@dataclass(frozen=True)
class TermWeights:
    """What each term counts."""

    mls: float
    constraint: float
    triplet: float


class ProbFaceLoss(UncertaintyLoss):
    """L_S + λ_C·L_C + λ_Id·L_Id; a term of weight 0 is left out.

    ``logged``: ``mls``, ``constraint`` and ``identity`` before their weights, and the figures of `uncertainty_log`.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, weights: TermWeights, norm: Norm, form: Form, margin: float
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        self.weights, self.norm, self.form, self.margin = weights, norm, form, margin

    def of_head(self, mu: Tensor, output: Tensor, labels: Tensor) -> LossOutput:
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
        form: of L_C: ``mean`` in the paper; ``sum`` with a constant average in the program, to which the weight
            0.001 belongs.
        triplet: weight of L_Id, λ_Id.
        margin: of L_Id.
    """
    return ProbFaceLoss(embedding_dim, num_classes, TermWeights(mls, constraint, triplet), norm, form, margin)
