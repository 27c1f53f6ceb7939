"""Score pairs of embeddings with a score given by name."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.pair_scores import SCORES, require

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


def score_pairs(name: str, embeddings: "Embeddings", left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Scores of pairs of rows, higher is more similar; memory beyond the result is bounded.

    Args:
        name: an entry of `facepipe.score.SCORES`, such as ``cosine``; ``scf`` (Eq. 13 of SCF, needs kappa);
            ``mls`` (Eq. 3 of PFE, or ProbFace's Eq. 5 for one σ² per face; needs sigma2).
        embeddings: of N faces or templates.
        left, right: int64 M, rows of ``embeddings``.

    Returns:
        float64 M.

    Raises:
        EmbeddingsError: unknown score, rows out of range, embeddings that lack a field the score needs, or a score that
            is not finite, such as that of an empty template.
    """
    require(name, embeddings)
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    _check(left, right, len(embeddings))
    scores = SCORES[name].score(embeddings, left, right)
    finite = np.isfinite(scores)
    if not finite.all():
        first = int((~finite).argmax())
        raise _not_finite(embeddings, int(left[first]), int(right[first]))
    return scores


def _not_finite(embeddings: "Embeddings", left: int, right: int) -> EmbeddingsError:
    """The error that names the faulty row of a pair, if it can be determined."""
    empty = [row for row in (left, right) if embeddings.sigma2 is not None and np.isinf(embeddings.sigma2[row]).any()]
    damaged = [row for row in (left, right) if not np.isfinite(embeddings.mu[row]).all()]
    row = (damaged or empty or [left])[0]
    which = embeddings.paths[row] if embeddings.paths else f"row {row}"
    if empty and not damaged:
        return EmbeddingsError(f"{which}: a template without images has no score; leave it out")
    return EmbeddingsError(f"{which}: its score is not finite; check {embeddings.model}, embed again")


def _check(left: np.ndarray, right: np.ndarray, count: int) -> None:
    if left.shape != right.shape or left.ndim != 1:
        raise EmbeddingsError(f"pairs need two lists of rows of equal length, not {left.shape} and {right.shape}")
    if len(left) and not 0 <= min(left.min(), right.min()) <= max(left.max(), right.max()) < count:
        raise EmbeddingsError(f"pairs refer to rows outside 0 … {count - 1}; they belong to other embeddings")
