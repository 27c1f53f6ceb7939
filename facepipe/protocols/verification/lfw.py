"""Labeled Faces in the Wild, view 2 (Huang et al. 2007)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.protocols.roc import FARS
from facepipe.protocols.verification.pairs import VerificationResult, evaluate_pairs

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


def evaluate_lfw(
    embeddings: "Embeddings",
    pairs: Pairs,
    rule: str = "sphereface",
    on_miss: str = "centre",
    score: str = "cosine",
    fars: Sequence[float] = FARS,
) -> VerificationResult:
    """Ten-fold verification accuracy, and the other figures of `evaluate_pairs`.

    Args:
        embeddings: of the images in ``pairs``; paths end in ``name/name_0001`` with any extension.
        pairs: from `facepipe.datasets.pairs.lfw_pairs.read_lfw_pairs`.
        rule, on_miss, score, fars: see `evaluate_pairs`.

    Raises:
        DatasetError: unknown rule or on_miss, images are missing, too many are skipped, or embeddings are NaN.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    return evaluate_pairs(embeddings, pairs, rule, on_miss, score, fars, protocol="lfw")
