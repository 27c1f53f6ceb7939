"""ProbFace's identity term: a triplet loss on distances scaled by uncertainty."""

from torch import Tensor

from facepipe.losses.loss import outside_autocast
from facepipe.losses.metric.distance import all_squared_distances
from facepipe.losses.metric.triplet import semi_hard_negatives
from facepipe.losses.uncertainty.uncertain_batch import check_uncertain, mean_or_zero


def uncertainty_triplet(mu: Tensor, log_sigma2: Tensor, labels: Tensor, margin: float = 3.0) -> Tensor:
    """Mean over ordered genuine pairs (a, p) of max(0, d(a, p) − d(a, n) + margin) (Chen et al. 2021, L_Id).

    d is `uncertainty_distance`; n is the semi-hard negative of TensorFlow's rule: the nearest with
    d(a, n) > d(a, p), or the farthest if there is none. The loss is 0 for a batch without a genuine pair or with a
    single identity.

    Args:
        mu: N×D, unit rows.
        log_sigma2: N×1, or N×D.
        labels: N, integers.
        margin: 3 in ProbFace's program.

    Returns:
        scalar, float32 (float64 for float64 input).

    Raises:
        ModelError, DatasetError: shapes that do not fit.
    """
    distances = uncertainty_distance(mu, log_sigma2, labels)
    same = labels[:, None] == labels[None, :]
    pairs = same & ~same.all(1, keepdim=True)
    anchor, positive = pairs.fill_diagonal_(False).nonzero(as_tuple=True)
    negative = semi_hard_negatives(distances, same, anchor, positive)
    return mean_or_zero((distances[anchor, positive] - negative + margin).clamp_min(0))


def uncertainty_distance(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> Tensor:
    """‖μ_i − μ_j‖²/(σ_i² + σ_j²) of all pairs, N×N; summed over dimensions for a vector σ².

    A vector σ² needs N·N·D values in memory. ProbFace's program divides that sum by D.

    Args, Raises: as `uncertainty_triplet`.
    """
    mu, log_sigma2 = check_uncertain(mu, log_sigma2, labels)
    with outside_autocast(mu):
        if log_sigma2.shape[1] == 1:
            return all_squared_distances(mu) * (-log_sigma2.logaddexp(log_sigma2.T)).exp()
        log_total = log_sigma2[:, None].logaddexp(log_sigma2[None])
        return ((mu[:, None] - mu[None]).square() * (-log_total).exp()).sum(2)

