"""The cosine of two embeddings."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.score.cosine import pair_cosines
from facepipe.score.pair_scores import register

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


@register("cosine", help="the angle between two embeddings", decides=True)
def cosine_pairs(embeddings: "Embeddings", left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosines of rows ``left[i]`` and ``right[i]``, float64 M; see `facepipe.score.pair_cosines`."""
    return pair_cosines(embeddings.mu, left, right)
