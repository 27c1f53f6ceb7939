"""Batches of the losses of σ² heads: their check, and their genuine pairs."""

import torch
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.loss import check_batch, widen


def check_uncertain(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """``mu`` and ``log_sigma2`` in at least float32, after checking them against each other and the labels.

    Args:
        mu: N×D.
        log_sigma2: N×K, K = 1 or D.
        labels: N, integers.

    Raises:
        ModelError: a shape does not match.
        DatasetError: labels of another length, or not integers.
    """
    check_batch(mu, labels, None, None)
    count, dim = mu.shape
    if log_sigma2.shape not in ((count, 1), (count, dim)):
        raise ModelError(
            f"log σ² of shape {tuple(log_sigma2.shape)} for embeddings of shape {count}×{dim}: "
            f"an uncertainty head outputs N×1 or N×D"
        )
    return widen(mu), widen(log_sigma2)


def pairs_of_one_class(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices i < j, P each, of all genuine pairs of a batch; P may be 0."""
    first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
    genuine = labels[first] == labels[second]
    return first[genuine], second[genuine]


def mean_or_zero(values: Tensor) -> Tensor:
    """The mean of P values; 0 without a gradient if P is 0."""
    return values.sum() / max(len(values), 1)
