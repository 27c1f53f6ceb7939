"""Scores of probes against a gallery, in blocks of probes."""

from collections.abc import Iterator

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.score import unit
from facepipe.score.pairs import score_pairs
from facepipe.score.threshold import require_finite_scores

_SCORES = 1 << 22
DECIMALS = 9
"""Finer than the precision of float32 embeddings, coarser than the rounding of matrix products: otherwise copies of one
photo in the gallery would score apart by 10⁻¹⁶, and rank by chance."""


def score_blocks(
    name: str, embeddings: Embeddings, probes: np.ndarray, gallery: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield float64 n×G: the next n probes against the whole gallery, about four million scores at a time, rounded to
    nine decimals so that equal faces have equal scores.

    Args:
        name: of the score, see `facepipe.score.pairs.score_pairs`.
        embeddings: of faces or templates.
        probes: int64 P, rows of ``embeddings``.
        gallery: int64 G, rows of ``embeddings``.

    Raises:
        EmbeddingsError: unknown score, the embeddings lack what it needs, or a score is not finite.
    """
    step = max(1, _SCORES // max(1, len(gallery)))
    enrolled = unit(embeddings.mu[gallery]).T if name == "cosine" else None
    for first in range(0, len(probes), step):
        rows = probes[first : first + step]
        if enrolled is not None:
            scores = unit(embeddings.mu[rows]) @ enrolled
            require_finite_scores(scores)
        else:
            left, right = np.repeat(rows, len(gallery)), np.tile(gallery, len(rows))
            scores = score_pairs(name, embeddings, left, right).reshape(len(rows), len(gallery))
        yield np.round(scores, DECIMALS, out=scores)
