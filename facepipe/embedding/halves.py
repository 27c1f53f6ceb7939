"""The two halves of embeddings that were made with flip ``concat``: the image's, then the mirror image's."""

from dataclasses import replace

from facepipe.embedding.embeddings import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.flips import FLIPS
from facepipe.parameters import parameter

HALVES = ("sum", "first", "keep")


def fold_halves(embeddings: Embeddings, halves: str) -> Embeddings:
    """One model's embeddings with the halves joined, and the flip rule that they have afterwards.

    Args:
        embeddings: those without halves come back as they are.
        halves: ``sum`` adds the mirror image's half to the image's, as flip ``sum`` does (insightface); ``first`` takes
            the image's alone, as flip ``none`` does; ``keep`` leaves both.

    Raises:
        EmbeddingsError: unknown word, or an ensemble whose members kept halves: which is whose is not known any more.
    """
    if halves not in HALVES:
        raise EmbeddingsError(f"halves {halves!r} is unknown; choose one of {', '.join(HALVES)}")
    if halves == "keep" or not has_halves(embeddings.flip):
        return embeddings
    if "+" in embeddings.model:
        raise EmbeddingsError(
            f"embeddings of {embeddings.model} hold image and mirror image of several models side by side (flip "
            f"{embeddings.flip}); embed again with {parameter('flip', 'sum')}, or leave them as they are with "
            f"{parameter('halves', 'keep')}"
        )
    half = embeddings.dim // 2
    first, mirror = embeddings.mu[:, :half], embeddings.mu[:, half:]
    if halves == "first":
        return replace(embeddings, mu=first, flip="none")
    return replace(embeddings, mu=first + mirror, flip="sum")


def has_halves(flip: str) -> bool:
    """Whether image and mirror image stand side by side under a flip rule, or under that of a member of an ensemble."""
    return any(rule in FLIPS and FLIPS[rule].halves for rule in flip.split("+"))
