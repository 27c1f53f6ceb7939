"""The threshold of a gallery, measured on faces of people who are not in it."""

import math

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.identification.decision import Decision, decision_at
from facepipe.identification.gallery import Gallery
from facepipe.identification.identifier import Identifier
from facepipe.score.threshold import threshold_at_far
from facepipe.tables import counted


def measure(
    gallery: Gallery,
    strangers: Embeddings,
    fpir: float,
    pooling: str = "confidence",
    score: str = "cosine",
    device: str = "cpu",
) -> Decision:
    """The threshold at which at most a share ``fpir`` of the strangers are named from this gallery.

    Every stranger is searched for as `Identifier` does, and the best scores are counted, without assumptions on the
    distribution of scores or their dependence. Valid for faces like these.

    Args:
        gallery: known people.
        strangers: faces of other people, by the same model; at least 1/fpir of them.
        fpir: false-positive identification rate, between 0 and 1.
        pooling, score, device: as for `Identifier`.

    Raises:
        EmbeddingsError: the rate is invalid, there are too few strangers for it, or they are by another model.
    """
    if not 0 < fpir < 1:
        raise EmbeddingsError(f"the false-positive rate must be between 0 and 1, not {fpir:g}")
    if math.floor(fpir * len(strangers) + 1e-9) < 1:
        raise EmbeddingsError(
            f"{counted(len(strangers), 'face of strangers')}: too few for FPIR {fpir:g}; embed "
            f"{math.ceil(1 / fpir)} or more"
        )
    found = Identifier(gallery, decision_at(math.inf), pooling, score, device)(strangers)
    threshold = threshold_at_far(np.array([identity.score for identity in found]), fpir)
    return Decision(threshold, fpir, None, "measured", f"{counted(len(strangers), 'face')} of strangers")
