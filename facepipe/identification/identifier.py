"""Identifying a face: the best match in a gallery if the score is high enough, else unknown."""

from dataclasses import dataclass, replace

import numpy as np

from facepipe.embedding import Embeddings, join, require_same_model
from facepipe.errors import EmbeddingsError
from facepipe.identification.decision import Decision
from facepipe.identification.gallery import UNKNOWN, Gallery
from facepipe.protocols.score_blocks import score_blocks
from facepipe.score.search import Hits, top_k


@dataclass(frozen=True)
class Identity:
    """The result of searching a gallery.

    Attributes:
        name: name of the person, or ``unknown``.
        score: the best score in the gallery.
        nearest: the person with that score, whether or not it reaches the threshold.
        runner_up: the person with the second-best score; None in a gallery of one.
        runner_up_score: that score.
    """

    name: str
    score: float
    nearest: str
    runner_up: str | None
    runner_up_score: float | None

    @property
    def known(self) -> bool:
        """Whether the face has a name."""
        return self.name != UNKNOWN


class Identifier:
    """Searches a gallery.

    Args:
        gallery: known people.
        decision: from `decide` for this number of people, or `decision_at`.
        pooling: how several images of a person are pooled: ``confidence`` or ``mean``.
        score: ``cosine``, ``scf`` or ``mls``; the decision must be for the same score.
        device: where the search runs.

    Raises:
        EmbeddingsError: the gallery is empty, or lacks what the score needs.
    """

    def __init__(
        self,
        gallery: Gallery,
        decision: Decision,
        pooling: str = "confidence",
        score: str = "cosine",
        device: str = "cpu",
    ) -> None:
        if not gallery.names:
            raise EmbeddingsError("this gallery is empty; add people with 'facepipe gallery add'")
        self.templates = gallery.templates(pooling)
        self.names = gallery.names
        self.decision = decision
        self._score, self._device = score, device

    def __call__(self, probes: Embeddings) -> list[Identity]:
        """One `Identity` per face.

        Raises:
            EmbeddingsError: the faces were embedded by another model than the gallery.
        """
        require_same_model(self.templates, probes)
        hits = self._search(probes)
        return [self._identity(scores, rows) for scores, rows in zip(hits.scores, hits.rows, strict=True)]

    def _search(self, probes: Embeddings) -> Hits:
        if self._score == "cosine":
            return top_k(probes.mu, self.templates.mu, 2, self._device)
        return _best_two(probes, self.templates, self._score)

    def _identity(self, scores: np.ndarray, rows: np.ndarray) -> Identity:
        best, nearest = float(scores[0]), self.names[rows[0]]
        name = nearest if best >= self.decision.threshold else UNKNOWN
        second = (self.names[rows[1]], float(scores[1])) if len(rows) > 1 else (None, None)
        return Identity(name, best, nearest, *second)


def _best_two(probes: Embeddings, templates: Embeddings, score: str) -> Hits:
    """The two best templates of each probe by a pair score; ties go to the first."""
    people = len(templates)
    both = join([_bare(templates), _bare(probes)])
    scores, rows = [np.empty((0, min(2, people)))], [np.empty((0, min(2, people)), np.int64)]
    for table in score_blocks(score, both, np.arange(people, len(both)), np.arange(people)):
        order = np.argsort(-table, axis=1, kind="stable")[:, :2]
        rows.append(order)
        scores.append(np.take_along_axis(table, order, 1))
    return Hits(np.concatenate(scores), np.concatenate(rows))


def _bare(embeddings: Embeddings) -> Embeddings:
    """Only the fields that a score uses."""
    return replace(embeddings, paths=(), detection_score=None)
