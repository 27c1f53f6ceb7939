"""Scores of pairs of embeddings, by name."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.pair_scores import SCORES, require

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


def score_pairs(name: str, embeddings: "Embeddings", left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Scores of pairs of rows, higher is more alike; memory beyond the result stays bounded.

    Args:
        name: of an entry of `facepipe.score.SCORES`, such as ``cosine``; ``scf`` (Eq. 13 of SCF, needs kappa);
            ``mls`` (Eq. 3 of PFE, or ProbFace's Eq. 5 for one σ² a face; needs sigma2).
        embeddings: of N faces or templates.
        left, right: int64 M, rows of ``embeddings``.

    Returns:
        float64 M.

    Raises:
        EmbeddingsError: unknown score, rows that are not there, the embeddings lack what the score needs, or a score is
            no number.
    """
    require(name, embeddings)
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    _check(left, right, len(embeddings))
    scores = SCORES[name].score(embeddings, left, right)
    # An empty template may score infinitely low, but nothing may score what is no number.
    wrong = np.isnan(scores)
    if wrong.any():
        row = int(left[int(wrong.argmax())])
        which = embeddings.paths[row] if embeddings.paths else f"row {row}"
        raise EmbeddingsError(f"{which}: a score of it is not a number; check {embeddings.model}, embed again")
    return scores


def _check(left: np.ndarray, right: np.ndarray, count: int) -> None:
    if left.shape != right.shape or left.ndim != 1:
        raise EmbeddingsError(f"pairs need two lists of rows of one length, not {left.shape} and {right.shape}")
    if len(left) and not 0 <= min(left.min(), right.min()) <= max(left.max(), right.max()) < count:
        raise EmbeddingsError(f"pairs name rows outside 0 … {count - 1}; the pairs belong to other embeddings")
