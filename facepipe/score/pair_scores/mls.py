"""The mutual likelihood score: the likelihood that two faces share an identity, given their uncertainties."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import pair_cosines, unit
from facepipe.score.pair_scores import register, require

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

_BLOCK_VALUES = 2_097_152
"""float64 values per block of pairs, 16 MiB; a handful of such arrays exist at a time."""


def mls(mu_left: np.ndarray, mu_right: np.ndarray, sigma2_left: np.ndarray, sigma2_right: np.ndarray) -> np.ndarray:
    """PFE's score (Shi and Jain, ICCV 2019, Eq. 3), summed over dimensions, with its ½ and constant.

    −½ Σ_l [(μ_l − μ'_l)²/(σ_l² + σ'_l²) + log(σ_l² + σ'_l²)] − (D/2) log 2π.

    Args:
        mu_left, mu_right: float M×D, unit rows.
        sigma2_left, sigma2_right: float M×D, above 0; or M×1 for one σ² in all dimensions.

    Returns:
        float64 M, higher is more similar.
    """
    squared = np.square(_double(mu_left) - _double(mu_right))
    total = np.broadcast_to(_double(sigma2_left) + _double(sigma2_right), squared.shape)
    return -0.5 * ((squared / total + np.log(total)).sum(1) + squared.shape[1] * math.log(2 * math.pi))


def fast_mls(cosine: np.ndarray, sigma2_left: np.ndarray, sigma2_right: np.ndarray) -> np.ndarray:
    """ProbFace's score for one σ² per face (Chen et al. 2021, Eq. 5): −(2 − 2cos)/(σ² + σ'²) − log(σ² + σ'²).

    Args:
        cosine: float M, of the two embeddings.
        sigma2_left, sigma2_right: float M, above 0.

    Returns:
        float64 M, higher is more similar. Scaled differently from `mls`: without ½, and with one logarithm instead
        of D.
    """
    total = _double(sigma2_left) + _double(sigma2_right)
    return -2 * (1 - _double(cosine)) / total - np.log(total)


def attention(
    mu_left: np.ndarray, mu_right: np.ndarray, sigma2_left: np.ndarray, sigma2_right: np.ndarray
) -> np.ndarray:
    """`mls` without its logarithm and constant: −½ Σ_l (μ_l − μ'_l)²/(σ_l² + σ'_l²), ProbFace's "attention only".

    Arguments and result as in `mls`.
    """
    squared = np.square(_double(mu_left) - _double(mu_right))
    total = np.broadcast_to(_double(sigma2_left) + _double(sigma2_right), squared.shape)
    return np.where(np.isinf(total).any(1), -np.inf, -0.5 * (squared / total).sum(1))


def fast_attention(cosine: np.ndarray, sigma2_left: np.ndarray, sigma2_right: np.ndarray) -> np.ndarray:
    """`fast_mls` without its logarithm, −(2 − 2cos)/(σ² + σ'²), as in ProbFace's program ("attention only").

    Arguments and result as in `fast_mls`.
    """
    total = _double(sigma2_left) + _double(sigma2_right)
    return np.where(np.isinf(total), -np.inf, -2 * (1 - _double(cosine)) / total)


@register("mls", help="Eq. 3 of PFE, or ProbFace's Eq. 5 for one sigma2 per face", needs="sigma2", decides=True)
def mls_pairs(embeddings: "Embeddings", left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The score ``mls`` of pairs of rows: `mls` for a vector σ², `fast_mls` for one σ² per face.

    In embeddings with concatenated flips each half is a unit vector with the σ² of the face; for a vector σ² the score
    is the mean over the halves. A row with σ² = ∞ (an empty template) scores −∞, which `facepipe.score.score_pairs`
    refuses.

    Args:
        embeddings: N rows with ``sigma2``.
        left, right: int64 M, rows.

    Returns:
        float64 M.

    Raises:
        EmbeddingsError: σ² is missing, not positive, or its dimension does not divide that of the embedding.
    """
    return _pairs(embeddings, left, right, mls, fast_mls)


@register("mls-attention", help="mls without its logarithm", needs="sigma2")
def attention_pairs(embeddings: "Embeddings", left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The score ``mls-attention`` of pairs of rows: `attention` or `fast_attention`.

    Arguments, result and errors as in `mls_pairs`.
    """
    return _pairs(embeddings, left, right, attention, fast_attention)


def _pairs(
    embeddings: "Embeddings",
    left: np.ndarray,
    right: np.ndarray,
    of_vectors: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    of_scalars: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    sigma2 = _checked(embeddings)
    if sigma2.shape[1] == 1:
        # In place, since lists of pairs can be long.
        out = pair_cosines(embeddings.mu, left, right)
        for part in _blocks(len(out), 1):
            out[part] = of_scalars(out[part], sigma2[left[part], 0], sigma2[right[part], 0])
        return out
    halves = embeddings.dim // sigma2.shape[1]
    out = np.empty(len(left))
    for part in _blocks(len(out), embeddings.dim):
        a, b = left[part], right[part]
        sides = zip(_parts(embeddings.mu[a], halves), _parts(embeddings.mu[b], halves), strict=True)
        out[part] = np.mean([of_vectors(mu, other, sigma2[a], sigma2[b]) for mu, other in sides], axis=0)
    return out


def _checked(embeddings: "Embeddings") -> np.ndarray:
    require("mls", embeddings)
    sigma2 = embeddings.sigma2
    assert sigma2 is not None
    if embeddings.dim % sigma2.shape[1]:
        raise EmbeddingsError(f"sigma2 of {sigma2.shape[1]} dimensions does not match {embeddings.dim}-d embeddings")
    positive = (sigma2 > 0).all(1)
    if not positive.all():
        row = int((~positive).argmax())
        name = embeddings.paths[row] if embeddings.paths else f"row {row}"
        raise EmbeddingsError(f"{name}: its sigma2 is not above 0; check the model {embeddings.model}")
    return sigma2


def _blocks(count: int, width: int) -> list[slice]:
    rows = max(1, _BLOCK_VALUES // max(1, width))
    return [slice(first, first + rows) for first in range(0, count, rows)]


def _parts(mu: np.ndarray, count: int) -> list[np.ndarray]:
    return [unit(part) for part in np.split(mu, count, axis=1)]


def _double(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)
