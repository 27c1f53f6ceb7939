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
            no finite number, as those of an empty template are not.
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
    """The error that names which of two rows is at fault, as far as that can be seen."""
    empty = [row for row in (left, right) if embeddings.sigma2 is not None and np.isinf(embeddings.sigma2[row]).any()]
    wrong = [row for row in (left, right) if not np.isfinite(embeddings.mu[row]).all()]
    row = (wrong or empty or [left])[0]
    which = embeddings.paths[row] if embeddings.paths else f"row {row}"
    if empty and not wrong:
        return EmbeddingsError(f"{which}: a template without images has no score; leave it out")
    return EmbeddingsError(f"{which}: a score of it is no finite number; check {embeddings.model}, embed again")


def _check(left: np.ndarray, right: np.ndarray, count: int) -> None:
    if left.shape != right.shape or left.ndim != 1:
        raise EmbeddingsError(f"pairs need two lists of rows of one length, not {left.shape} and {right.shape}")
    if len(left) and not 0 <= min(left.min(), right.min()) <= max(left.max(), right.max()) < count:
        raise EmbeddingsError(f"pairs name rows outside 0 … {count - 1}; the pairs belong to other embeddings")
