"""Searching a gallery: ranks, CMC, and TPIR at FPIR (DIR at FAR), with exact treatment of ties.

A probe is *mated* when its subject is in the gallery. Several gallery entries of one subject count as one, with their
best score. A subject whose score equals that of the true mate is ranked ahead of it, so that ties never count as
recognition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.protocols.roc import clopper_pearson
from facepipe.score.threshold import require_finite_scores, threshold_at_far
from facepipe.tables import counted

RANKS = (1, 5, 10)
FPIRS = (1e-1, 1e-2, 1e-3)


@dataclass(frozen=True)
class Searches:
    """Search results of each of P probes.

    Attributes:
        mated: bool P.
        mate: float P, score of the probe's mate; −inf if not in the gallery.
        other: float P, highest score of another subject; −inf if there is none.
        rank: int64 P, rank of the mate, 1 is best; 0 if not in the gallery.
    """

    mated: np.ndarray
    mate: np.ndarray
    other: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        return len(self.mated)


@dataclass(frozen=True)
class SearchPoint:
    """TPIR at a false-positive identification rate.

    Attributes:
        fpir: the requested rate: share of non-mated probes that score at or above the threshold.
        tpir: share of mated probes that do, and whose mate is at ``rank`` or better; None if the data are
            insufficient, see ``reason``.
        rank: see ``tpir``.
        threshold: see `facepipe.score.threshold_at_far`; at most ``fpir`` pass.
        low, high: Clopper-Pearson interval of ``tpir`` for a fixed threshold.
        reason: why there is no figure; empty if there is one.
    """

    fpir: float
    tpir: float | None
    rank: int
    threshold: float | None
    low: float | None
    high: float | None
    reason: str = ""


@dataclass(frozen=True)
class SearchFigures:
    """Figures of searching one gallery.

    Attributes:
        mated, non_mated: numbers of probes with and without a mate.
        cmc: rank (as text) → share of the mated probes, see `cmc`.
        tpir: at rank 1.
    """

    mated: int
    non_mated: int
    cmc: dict[str, float | None]
    tpir: tuple[SearchPoint, ...]


def search(blocks: Iterable[np.ndarray], gallery_subject: np.ndarray, probe_subject: np.ndarray) -> Searches:
    """Reduce scores of probes against a gallery, in blocks of probes.

    Args:
        blocks: float n×G each, scores of the next n probes against all gallery entries; see
            `facepipe.protocols.score_blocks`. They are overwritten.
        gallery_subject: int64 G.
        probe_subject: int64 P.

    Raises:
        EmbeddingsError: a score is not finite.
        FacepipeError: the gallery is empty, or the blocks do not have P rows in total.
    """
    if len(gallery_subject) == 0:
        raise FacepipeError("the gallery is empty; add at least one person")
    grouped = _Subjects(gallery_subject)
    parts, done = [], 0
    for block in blocks:
        parts.append(_search_block(grouped(block), grouped.column_of(probe_subject[done : done + len(block)])))
        done += len(block)
    if done != len(probe_subject) or not parts:
        raise FacepipeError(f"scores of {counted(done, 'probe')}, but {counted(len(probe_subject), 'probe')}")
    return Searches(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Subjects:
    """Gallery entries by subject."""

    def __init__(self, gallery_subject: np.ndarray) -> None:
        self._order = np.argsort(gallery_subject, kind="stable")
        self._subjects, self._first = np.unique(gallery_subject[self._order], return_index=True)
        self._alone = len(self._subjects) == len(gallery_subject)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Scores of subjects, the best of their entries; columns as given by `column_of`."""
        if self._alone:
            return block
        return np.maximum.reduceat(block[:, self._order], self._first, axis=1)

    def column_of(self, subject: np.ndarray) -> np.ndarray:
        """Column of each subject, −1 if not in the gallery."""
        place = np.minimum(np.searchsorted(self._subjects, subject), len(self._subjects) - 1)
        column = self._order[place] if self._alone else place
        return np.where(self._subjects[place] == subject, column, -1)


def _search_block(scores: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, ...]:
    require_finite_scores(scores)
    mated = column >= 0
    rows = np.flatnonzero(mated)
    mate = np.full(len(scores), -np.inf, scores.dtype)
    mate[rows] = scores[rows, column[rows]]
    rank = np.zeros(len(scores), np.int64)
    # The mate itself is among those at or above its score, so the best rank is 1.
    rank[rows] = (scores[rows] >= mate[rows, None]).sum(1)
    scores[rows, column[rows]] = -np.inf
    other = scores.max(1)
    return mated, mate, other, rank


def cmc(searches: Searches, ranks: Sequence[int] = RANKS) -> dict[str, float | None]:
    """Share of mated probes whose mate is at each rank or better (cumulative match characteristic).

    Returns:
        Rank (as text, for JSON) → share; None if no probe is mated.
    """
    rank = searches.rank[searches.mated]
    return {str(k): float((rank <= k).mean()) if len(rank) else None for k in ranks}


def tpir_at_fpir(
    searches: Searches, fpirs: Sequence[float] = FPIRS, rank: int = 1, confidence: float = 0.95
) -> tuple[SearchPoint, ...]:
    """TPIR at each FPIR, also called DIR at FAR.

    Args:
        searches: of probes with and without a mate.
        fpirs: rates between 0 and 1.
        rank: worst rank of the mate that counts; 0 ignores the rank.
        confidence: of the intervals.

    Raises:
        FacepipeError: a rate is not between 0 and 1.
    """
    return tuple(_point(searches, fpir, rank, confidence) for fpir in fpirs)


def _point(searches: Searches, fpir: float, rank: int, confidence: float) -> SearchPoint:
    if not 0 < fpir < 1:
        raise FacepipeError(f"a false-positive identification rate must be between 0 and 1, not {fpir:g}")
    mated = searches.mated
    false, mates = searches.other[~mated], searches.mate[mated]
    reason = ""
    if not len(mates):
        reason = "no probe has a mate in the gallery"
    elif np.floor(fpir * len(false) + 1e-9) < 1:
        reason = f"{counted(len(false), 'probe')} without a mate, fewer than 1/FPIR"
    elif min(mates.min(), false.min()) == max(mates.max(), false.max()):
        reason = "all scores are equal"
    if reason:
        return SearchPoint(fpir, None, rank, None, None, None, reason)
    threshold = threshold_at_far(false, fpir)
    found = mates >= mates.dtype.type(threshold)
    if rank:
        found &= searches.rank[mated] <= rank
    low, high = clopper_pearson(int(found.sum()), len(found), confidence)
    return SearchPoint(fpir, float(found.mean()), rank, threshold, low, high)


def search_figures(
    searches: Searches, ranks: Sequence[int] = RANKS, fpirs: Sequence[float] = FPIRS
) -> SearchFigures:
    """Counts, CMC and TPIR at rank 1."""
    mated = int(searches.mated.sum())
    return SearchFigures(mated, len(searches) - mated, cmc(searches, ranks), tpir_at_fpir(searches, fpirs))
