"""The threshold of a gallery, measured on faces of people who are not in it."""

import math

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.identification.decision import Decision, given
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
    """The threshold at which at most a share ``fpir`` of the strangers get a name in this gallery.

    Every stranger is searched for as `Identifier` searches, and the best scores are counted: nothing is assumed of
    how scores are spread, or of how those of one face with many people hang together. It holds for faces like these.

    Args:
        gallery: known people.
        strangers: faces of other people, by the same model; at least 1/fpir of them.
        fpir: false-positive identification rate, between 0 and 1.
        pooling, score, device: as `Identifier` gets them.

    Raises:
        EmbeddingsError: the rate is impossible or the strangers are too few for it, or by another model.
    """
    if not 0 < fpir < 1:
        raise EmbeddingsError(f"a false-positive rate of {fpir:g} must lie between 0 and 1")
    if math.floor(fpir * len(strangers) + 1e-9) < 1:
        raise EmbeddingsError(
            f"{counted(len(strangers), 'face of strangers')} cannot tell FPIR {fpir:g}; embed "
            f"{math.ceil(1 / fpir)} or more"
        )
    found = Identifier(gallery, given(math.inf), pooling, score, device)(strangers)
    threshold = threshold_at_far(np.array([identity.score for identity in found]), fpir)
    return Decision(threshold, fpir, None, "measured", f"{counted(len(strangers), 'face')} of strangers")
