"""The two halves of embeddings made with flip ``concat``: the image's, then the mirror image's."""

from dataclasses import replace

from facepipe.embedding.embeddings import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.flips import FLIPS
from facepipe.parameters import parameter

HALVES = ("sum", "first", "keep")


def fold_halves(embeddings: Embeddings, halves: str) -> Embeddings:
    """One model's embeddings with the halves combined and the flip rule updated.

    Args:
        embeddings: returned unchanged if they have no halves.
        halves: ``sum`` adds the mirror image's half to the image's, as flip ``sum`` does (insightface); ``first`` takes
            only the image's, as flip ``none`` does; ``keep`` keeps both.

    Raises:
        EmbeddingsError: unknown value, or an ensemble whose members kept halves, which can no longer be separated.
    """
    if halves not in HALVES:
        raise EmbeddingsError(f"halves {halves!r} is unknown; choose one of {', '.join(HALVES)}")
    if halves == "keep" or not has_halves(embeddings.flip):
        return embeddings
    if "+" in embeddings.model:
        raise EmbeddingsError(
            f"embeddings of {embeddings.model} contain image and mirror image of several models (flip "
            f"{embeddings.flip}); embed again with {parameter('flip', 'sum')}, or keep the halves with "
            f"{parameter('halves', 'keep')}"
        )
    half = embeddings.dim // 2
    first, mirror = embeddings.mu[:, :half], embeddings.mu[:, half:]
    if halves == "first":
        return replace(embeddings, mu=first, flip="none")
    return replace(embeddings, mu=first + mirror, flip="sum")


def has_halves(flip: str) -> bool:
    """Whether a flip rule, or that of a member of an ensemble, concatenates image and mirror image."""
    return any(rule in FLIPS and FLIPS[rule].halves for rule in flip.split("+"))
