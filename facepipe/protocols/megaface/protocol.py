"""MegaFace (Kemelmacher-Shlizerman et al., CVPR 2016): a few known people among very many distractors.

Every photo of a person is added to the distractors in turn, and every other photo of that person searches for it: the
rank is one more than the number of distractors that score as high or higher. For verification all pairs of photos of
one person are genuine, and all pairs of a probe and a distractor are impostor pairs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.embedding import Embeddings, join
from facepipe.errors import DatasetError
from facepipe.protocols.identification.top_scores import TopScores
from facepipe.protocols.roc import OperatingPoint
from facepipe.protocols.score_blocks import DECIMALS, score_blocks
from facepipe.score.pairs import score_pairs
from facepipe.tables import counted

MEGAFACE_FARS = (1e-4, 1e-5, 1e-6)
MEGAFACE_RANKS = (1, 10)
_COLUMNS = 4_096


@dataclass(frozen=True)
class SizeFigures:
    """Figures for one number of distractors, ``noise`` of which are ignored."""

    distractors: int
    noise: int
    cmc: dict[str, float]
    tar: tuple[OperatingPoint, ...]


@dataclass(frozen=True)
class MegafaceFigures:
    """Figures for each number of distractors.

    Attributes:
        sizes: from few distractors to many.
        probes, people: numbers of photos and of people in them.
        genuine: number of genuine pairs.
    """

    sizes: tuple[SizeFigures, ...]
    probes: int
    people: int
    genuine: int


def megaface_figures(
    probes: Embeddings,
    person: np.ndarray,
    distractors: Iterable[tuple[Embeddings, np.ndarray]],
    sizes: Sequence[int],
    ranks: Sequence[int] = MEGAFACE_RANKS,
    fars: Sequence[float] = MEGAFACE_FARS,
    score: str = "cosine",
) -> MegafaceFigures:
    """Rank-1 and TAR at FAR with the first n distractors, for each n in ``sizes``.

    Args:
        probes: embeddings of P photos.
        person: int64 P, the person in each photo; at least one must have two photos.
        distractors: blocks of n photos, and bool n: which are noise and to be ignored. Read only up to the largest
            size, and not kept in memory.
        sizes: ascending numbers of distractors.
        ranks: at which identification is reported.
        fars: for verification; the largest determines how many scores are kept.
        score: see `facepipe.score.pairs.score_pairs`.

    Raises:
        DatasetError: no person has two photos, there are fewer distractors than the largest size, or dimensions differ.
        EmbeddingsError: a score is not finite, or the embeddings lack what the score needs.
    """
    probes = _bare(probes, score)
    query, mate = _ordered_pairs(person)
    if not len(query):
        raise DatasetError("no person has two photos among the probes, so there is nothing to search for")
    genuine = np.round(score_pairs(score, probes, query, mate), DECIMALS).astype(np.float32)
    best = _BestDistractors(len(probes), max(ranks))
    top = TopScores(int(max(fars) * sizes[-1] * len(probes)) + 2)
    tables: list[SizeFigures] = []
    seen, noise = 0, 0
    for part, noisy in _cut(distractors, sizes, probes.dim):
        scores = _scores(score, probes, _bare(part.take(~noisy), score))
        top.add(scores)
        best.add(scores)
        seen, noise = seen + len(part), noise + int(noisy.sum())
        if seen in sizes:
            recognised = {str(k): best.recognised(genuine, query, k) for k in ranks}
            points = tuple(top.point(genuine[query < mate], far) for far in fars)
            tables.append(SizeFigures(seen, noise, recognised, points))
    if seen < sizes[-1]:
        raise DatasetError(f"{counted(seen, 'distractor')}, fewer than the requested {sizes[-1]}")
    return MegafaceFigures(tuple(tables), len(probes), len(np.unique(person)), len(query) // 2)


def _bare(embeddings: Embeddings, score: str) -> Embeddings:
    """Drop data the score does not need, so that probes and distractors may differ in it."""
    dropped: dict[str, Any] = {"kappa": None, "sigma2": None} if score == "cosine" else {}
    return replace(embeddings, paths=(), failed=(), detection_score=None, **dropped)


def _scores(score: str, probes: Embeddings, others: Embeddings) -> np.ndarray:
    """float32 P×n: all probes against all others; equal photos have equal scores."""
    out = np.empty((len(probes), len(others)), np.float32)
    both, done = join([probes, others]), 0
    rows = np.arange(len(both))
    for block in score_blocks(score, both, rows[: len(probes)], rows[len(probes) :]):
        out[done : done + len(block)] = block
        done += len(block)
    return out


class _BestDistractors:
    """The highest distractor scores of each probe."""

    def __init__(self, probes: int, keep: int) -> None:
        self._top = np.full((probes, keep), -np.inf, np.float32)

    def add(self, scores: np.ndarray) -> None:
        """Add P×n scores."""
        if not scores.shape[1]:
            return
        rows = np.flatnonzero(scores.max(1) > self._top[:, 0])
        joined = np.concatenate([self._top[rows], scores[rows]], axis=1)
        keep = self._top.shape[1]
        self._top[rows] = np.sort(np.partition(joined, -keep, axis=1)[:, -keep:], axis=1)

    def recognised(self, genuine: np.ndarray, query: np.ndarray, rank: int) -> float:
        """Share of searches with at most ``rank`` − 1 distractors at or above the mate's score."""
        return float((genuine > self._top[query, -rank]).mean())


def _ordered_pairs(person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of different photos of one person."""
    order = np.argsort(person, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
    pairs = [np.stack(np.meshgrid(rows, rows, indexing="ij"), -1).reshape(-1, 2) for rows in groups if len(rows) > 1]
    both = np.concatenate([*pairs, np.zeros((0, 2), np.int64)])
    both = both[both[:, 0] != both[:, 1]].astype(np.int64)
    return both[:, 0], both[:, 1]


def _cut(
    blocks: Iterable[tuple[Embeddings, np.ndarray]], sizes: Sequence[int], dim: int
) -> Iterator[tuple[Embeddings, np.ndarray]]:
    """Parts of bounded size that also end at each of ``sizes``."""
    ends = sorted(set(sizes))
    done = 0
    for block, noisy in blocks:
        if block.dim != dim:
            raise DatasetError(f"probes have {dim} dimensions, distractors {block.dim}; use one model for both")
        block, first = replace(block, paths=()), 0
        while first < len(block) and ends:
            last = min(len(block), first + _COLUMNS, first + ends[0] - done)
            yield block.take(np.arange(first, last)), noisy[first:last]
            first, done = last, done + last - first
            ends = ends[1:] if done == ends[0] else ends
        if not ends:
            return
