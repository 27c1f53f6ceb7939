"""Figures to log while an uncertainty head is trained."""

import torch
from torch import Tensor

from facepipe.losses.uncertainty.uncertainty_triplet import uncertainty_distance


@torch.no_grad()
def uncertainty_log(mu: Tensor, log_sigma2: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Figures of one batch, 0-d tensors: ProbFace's ``att_pos``, ``att_neg``, ``s_min`` and ``s_max``.

    ``genuine_distance`` and ``impostor_distance`` are means of `uncertainty_distance` (NaN where there is no
    such pair), ``sigma2_min`` and ``sigma2_max`` the extreme σ².

    Args:
        mu: N×D, unit rows.
        log_sigma2: N×K, K = 1 or D.
        labels: N, integers.

    Raises:
        ModelError, DatasetError: shapes that do not fit.
    """
    distances = uncertainty_distance(mu, log_sigma2, labels)
    same = labels[:, None] == labels[None, :]
    other = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    sigma2 = log_sigma2.exp()
    return {
        "genuine_distance": distances[same & other].mean(),
        "impostor_distance": distances[~same].mean(),
        "sigma2_min": sigma2.min(),
        "sigma2_max": sigma2.max(),
    }
