"""The negative mutual likelihood score as a loss, mean over the genuine pairs of a batch.

Three scalings with separate names, since their weights and learning rates are not interchangeable. With
Δ = μ_i − μ_j and s = σ_i² + σ_j²:

* `mls_sum_loss`: ½ Σ_l [Δ_l²/s_l + log s_l] + (D/2) log 2π, PFE (Shi and Jain, ICCV 2019, Eq. 3). PFE's program
  omits the ½ and the constant, so its gradient is that of twice this loss.
* `mls_mean_loss`: (1/D) Σ_l [Δ_l²/s_l + log s_l], as ProbFace's program for a vector σ².
* `fast_mls_loss`: ‖Δ‖²/s + log s with one σ² per face, ProbFace (Chen et al. 2021, Eq. 5 and 6).

Ordered and unordered pairs have the same mean. Two copies of one image count as a genuine pair. The loss of a batch
without a genuine pair is 0.
"""

import math

from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.loss import outside_autocast
from facepipe.losses.uncertainty.uncertain_batch import check_uncertain, mean_or_zero, pairs_of_one_class


def mls_sum_loss(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> Tensor:
    """Negative mutual likelihood score, summed over dimensions: PFE's loss (Eq. 3).

    Args:
        mu: N×D, unit rows.
        log_sigma2: N×D, or N×1 for one σ² in all dimensions.
        labels: N, integers.

    Returns:
        scalar, float32 (float64 for float64 input): nats per pair.

    Raises:
        ModelError, DatasetError: shapes that do not fit.
    """
    terms = _terms(mu, log_sigma2, labels)
    return mean_or_zero(0.5 * (terms.sum(1) + mu.shape[1] * math.log(2 * math.pi)))


def mls_mean_loss(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> Tensor:
    """Negative mutual likelihood score, mean over dimensions, without ½ and constant: ProbFace's scaling.

    Arguments, result and errors as in `mls_sum_loss`.
    """
    return mean_or_zero(_terms(mu, log_sigma2, labels).mean(1))


def fast_mls_loss(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> Tensor:
    """ProbFace's FastMLS loss: (2 − 2cos)/(σ_i² + σ_j²) + log(σ_i² + σ_j²) (Eq. 5 and 6).

    Args:
        mu: N×D, unit rows, so that 2 − 2cos is ‖μ_i − μ_j‖².
        log_sigma2: N×1.
        labels: N, integers.

    Returns:
        scalar, float32 (float64 for float64 input).

    Raises:
        ModelError, DatasetError: shapes that do not fit.
    """
    mu, log_sigma2 = check_uncertain(mu, log_sigma2, labels)
    if log_sigma2.shape[1] != 1:
        raise ModelError(f"FastMLS takes one σ² per face, not {log_sigma2.shape[1]}; use mls_sum_loss")
    with outside_autocast(mu):
        first, second = pairs_of_one_class(labels)
        squared = (mu[first] - mu[second]).square().sum(1)
        log_total = log_sigma2[first, 0].logaddexp(log_sigma2[second, 0])
        return mean_or_zero(squared * (-log_total).exp() + log_total)


def _terms(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> Tensor:
    """Δ²/s + log s of the P genuine pairs, P×D."""
    mu, log_sigma2 = check_uncertain(mu, log_sigma2, labels)
    with outside_autocast(mu):
        first, second = pairs_of_one_class(labels)
        # log(σ_i² + σ_j²) from the logarithms, so that small σ² do not underflow.
        log_total = log_sigma2[first].logaddexp(log_sigma2[second])
        return (mu[first] - mu[second]).square() * (-log_total).exp() + log_total
