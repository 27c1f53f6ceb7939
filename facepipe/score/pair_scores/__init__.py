"""Pair scores, one file per score or family of scores.

A score is a function of embeddings and two lists of rows, registered with `register`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.registry import Registry

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

ScorePairs = Callable[["Embeddings", np.ndarray, np.ndarray], np.ndarray]
"""(embeddings, left M, right M) → float64 M, higher is more similar."""
F = TypeVar("F", bound=ScorePairs)


@dataclass(frozen=True)
class PairScore:
    """A pair score.

    Attributes:
        score: the function; its rows have been checked to be in range.
        help: short description.
        needs: required field of the embeddings besides mu.
        decides: whether models are calibrated for it, so that ``compare`` and ``identify`` can use it.
    """

    score: ScorePairs
    help: str
    needs: Literal["kappa", "sigma2"] | None
    decides: bool


SCORES: Registry[PairScore] = Registry("score", "facepipe.scores", EmbeddingsError, ("facepipe.score.pair_scores",))


def register(
    name: str, *, help: str, needs: Literal["kappa", "sigma2"] | None = None, decides: bool = False
) -> Callable[[F], F]:
    """Register ``score(embeddings, left, right)`` under a name; see `PairScore`."""

    def enter(score: F) -> F:
        SCORES.add(name, PairScore(score, help, needs, decides))
        return score

    return enter


def deciding_scores() -> list[str]:
    """Names of the scores that can be used for decisions."""
    return [name for name, entry in SCORES.items() if entry.decides]


def scores_of(embeddings: "Embeddings") -> list[str]:
    """Names of the scores for decisions on these embeddings: those whose required field they have."""
    return [name for name in deciding_scores() if _has(SCORES[name].needs, embeddings)]


def require(name: str, embeddings: "Embeddings") -> None:
    """Refuse a score whose required field is missing.

    Raises:
        EmbeddingsError: the embeddings lack the field, or the score is unknown.
    """
    field = SCORES[name].needs
    if not _has(field, embeddings):
        raise EmbeddingsError(
            f"embeddings of {embeddings.model} have no {field}, which score {name} needs; "
            f"embed the images with a model that has a {field} head, or score by cosine"
        )


def _has(field: str | None, embeddings: "Embeddings") -> bool:
    return field is None or getattr(embeddings, field) is not None
