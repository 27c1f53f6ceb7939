"""The mutual likelihood score of Sphere Confidence Face (Li et al., CVPR 2021, Eq. 13)."""

import math
from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import pair_cosines
from facepipe.score.pair_scores import register, require

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

RADIUS = 64.0
"""Radius r of the sphere in the published training."""

_PAIRS = 65_536


def scf(
    kappa_a: np.ndarray, kappa_b: np.ndarray, cosine: np.ndarray, dim: int, radius: float = RADIUS
) -> np.ndarray:
    """Eq. 13: s = log C_d(κ₁) + log C_d(κ₂) − log C_d(κ̃) − d log r, κ̃ = ‖κ₁μ₁ + κ₂μ₂‖.

    It is the logarithm of ∫ p(z|x₁) p(z|x₂) dz over the sphere of radius r, up to a constant. For a fixed cosine it
    is not monotone in κ: confidence raises the score of similar faces and lowers that of dissimilar ones.

    Args:
        kappa_a, kappa_b: float M, concentrations ≥ 0.
        cosine: float M, between the two means.
        dim: d, the dimension the kappa head was trained in.
        radius: r; shifts all scores equally.

    Returns:
        float64 M.
    """
    kappa_a, kappa_b, cosine = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (kappa_a, kappa_b, cosine)))
    both = _log_c(dim, kappa_a) + _log_c(dim, kappa_b)
    return both - _log_c(dim, resultant(kappa_a, kappa_b, cosine)) - dim * math.log(radius)


@register("scf", help="Eq. 13 of SCF", needs="kappa", decides=True)
def scf_pairs(
    embeddings: "Embeddings", left: np.ndarray, right: np.ndarray, radius: float = RADIUS
) -> np.ndarray:
    """Eq. 13 for rows ``left[i]`` and ``right[i]``; see `scf`.

    Args:
        embeddings: with kappa and the head's training dimension.
        left, right: int64 M.

    Returns:
        float64 M.

    Raises:
        EmbeddingsError: kappa, or the dimension it was trained in, is missing.
    """
    require("scf", embeddings)
    assert embeddings.kappa is not None
    if embeddings.trained_dim < 2:
        raise EmbeddingsError(
            f"embeddings of {embeddings.model} have kappa but not the dimension it was trained in, which score scf "
            "needs; embed the images again"
        )
    dim, kappa = embeddings.trained_dim, embeddings.kappa.astype(np.float64)
    log_c = _log_c(dim, kappa)
    # In place, since lists of pairs can be long.
    out = pair_cosines(embeddings.mu, left, right)
    for first in range(0, len(out), _PAIRS):
        part = slice(first, first + _PAIRS)
        a, b = left[part], right[part]
        out[part] = log_c[a] + log_c[b] - _log_c(dim, resultant(kappa[a], kappa[b], out[part]))
    out -= dim * math.log(radius)
    return out


def resultant(kappa_a: np.ndarray, kappa_b: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """κ̃ = ‖κ₁μ₁ + κ₂μ₂‖ = √((κ₁−κ₂)² + 2κ₁κ₂(1+cosθ)), which avoids cancellation."""
    difference = kappa_a - kappa_b
    return np.sqrt(difference * difference + 2 * kappa_a * kappa_b * (1 + cosine))


def _log_c(dim: int, kappa: np.ndarray) -> np.ndarray:
    # Imported here because PyTorch takes a second to import and the cosine does not need it.
    import torch

    from facepipe.vmf import log_c

    return log_c(dim, torch.from_numpy(np.ascontiguousarray(kappa))).numpy()
