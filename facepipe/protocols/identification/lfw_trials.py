"""Open-set identification on LFW: one trial of BLUFR or of the open-set protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.identification.search import search, search_figures
from facepipe.protocols.score_blocks import score_blocks


def search_trial(
    embeddings: Embeddings,
    person: np.ndarray,
    gallery: np.ndarray,
    probe: np.ndarray,
    score: str,
    ranks: Sequence[int],
    fpirs: Sequence[float],
) -> dict[str, Any]:
    """Counts, CMC and DIR at FAR of one trial, as JSON values.

    Args:
        embeddings: of all images.
        person: int64, of each image.
        gallery, probe: int64, rows of ``embeddings``.
        score: see `facepipe.score.pairs.score_pairs`.
        ranks: of the CMC.
        fpirs: false-accept rates.
    """
    blocks = score_blocks(score, embeddings, probe, gallery)
    return {"gallery": len(gallery), **search_figures(search(blocks, person[gallery], person[probe]), ranks, fpirs)}
