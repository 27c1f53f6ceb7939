"""IJB-B and IJB-C, 1:N, in the two published variants, whose figures are not comparable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.identification.search import (
    FPIRS,
    RANKS,
    SearchFigures,
    SearchPoint,
    cmc,
    search,
    search_figures,
)
from facepipe.protocols.identification.top_scores import TopScores
from facepipe.protocols.result import FLAT, Result, settings_of
from facepipe.protocols.roc import clopper_pearson
from facepipe.protocols.score_blocks import score_blocks
from facepipe.protocols.summary import cmc_line, ijb_title, points_table
from facepipe.tables import Summary, counted


@dataclass(frozen=True)
class Enrolled:
    """Templates of a gallery or of the probes: int64 ``rows`` of the embeddings, and the ``subject`` of each."""

    rows: np.ndarray
    subject: np.ndarray


@dataclass(frozen=True)
class GalleryFigures:
    """One gallery: number of subjects, and search figures."""

    subjects: int
    search: SearchFigures = field(metadata=FLAT)


@dataclass(frozen=True)
class MeanPoint:
    """TPIR at a FPIR, mean of the galleries; None if one has none, see ``reason``."""

    fpir: float
    tpir: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class OpenReadingResult(Result):
    """Each gallery searched separately.

    Attributes:
        cmc: rank (as text) → share, over all mated searches.
        tpir: mean of the galleries, at rank 1.
        galleries: figures of each gallery.
        probes: number of probes.
    """

    cmc: dict[str, float | None]
    tpir: tuple[MeanPoint, ...]
    galleries: tuple[GalleryFigures, ...]
    probes: int

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        yield cmc_line(self.cmc, f"{self.settings['reading']} set, {counted(self.probes, 'probe')}")
        title = ijb_title(self.settings, "1:N")
        for number, gallery in enumerate(self.galleries, 1):
            heading = f"{title}, gallery {number}: {counted(gallery.subjects, 'subject')}"
            yield from points_table(gallery.search.tpir, "fpir", "tpir", heading)
        yield from points_table(self.tpir, "fpir", "tpir", f"{title}, mean of the galleries")


@dataclass(frozen=True, kw_only=True)
class ClosedReadingResult(Result):
    """Both galleries joined.

    Attributes:
        cmc: rank (as text) → share.
        pooled: shares of mates above the threshold, at rates of false matches per probe.
        subjects, probes: counts.
    """

    cmc: dict[str, float | None]
    pooled: tuple[SearchPoint, ...]
    subjects: int
    probes: int

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        yield cmc_line(self.cmc, f"{self.settings['reading']} set, {counted(self.probes, 'probe')}")
        title = f"{ijb_title(self.settings, '1:N')}: false matches per probe, rank ignored (ijb_1n.py)"
        yield from points_table(self.pooled, "fpir", "tpir", title)


def evaluate_open(
    templates: Embeddings,
    galleries: Sequence[Enrolled],
    probes: Enrolled,
    score: str = "cosine",
    ranks: Sequence[int] = RANKS,
    fpirs: Sequence[float] = FPIRS,
    settings: dict[str, Any] | None = None,
) -> OpenReadingResult:
    """Open set: all probes against each gallery separately, so that many probes have no mate.

    FPIR is the share of non-mated probes whose best score reaches the threshold; TPIR the share of mated probes whose
    mate is ranked first and reaches it. Reported for each gallery and as their mean; the CMC over both galleries
    counts every mated search once (``ijb_evals.py`` of insightface).

    Args:
        templates: embeddings.
        galleries, probes: their rows and subjects.
        score: see `facepipe.score.pairs.score_pairs`.
        ranks: of the CMC.
        fpirs: false-positive identification rates.
        settings: stored in the result.
    """
    each: list[GalleryFigures] = []
    ranked = []
    for gallery in galleries:
        blocks = score_blocks(score, templates, probes.rows, gallery.rows)
        found = search(blocks, gallery.subject, probes.subject)
        each.append(GalleryFigures(len(np.unique(gallery.subject)), search_figures(found, ranks, fpirs)))
        ranked.append(found.rank[found.mated])
    rank = np.concatenate(ranked)
    return OpenReadingResult(
        protocol="ijb-1:n",
        settings=settings_of(templates, reading="open", score=score, **(settings or {})),
        cmc={str(k): float((rank <= k).mean()) if len(rank) else None for k in ranks},
        tpir=tuple(_mean_point(points) for points in zip(*(gallery.search.tpir for gallery in each), strict=True)),
        galleries=tuple(each),
        probes=len(probes.rows),
    )


def _mean_point(points: Sequence[SearchPoint]) -> MeanPoint:
    reason = next((point.reason for point in points if point.reason), "")
    known = [point.tpir for point in points if point.tpir is not None]
    return MeanPoint(points[0].fpir, None if reason else float(np.mean(known)), reason)


def evaluate_closed(
    templates: Embeddings,
    galleries: Sequence[Enrolled],
    probes: Enrolled,
    score: str = "cosine",
    ranks: Sequence[int] = RANKS,
    rates: Sequence[float] = (1e-1, 1e-2),
    settings: dict[str, Any] | None = None,
) -> ClosedReadingResult:
    """Closed set: both galleries joined, so that every probe has a mate (``ijb_1n.py`` of insightface).

    Its second table takes, for each rate f and Q probes, the ⌈f·Q⌉-th largest of all Q·(G−1) scores of another
    subject as the threshold, and reports the share of mates above it, whatever their rank. The script calls f
    FPIR, but it is the number of false matches per probe: one probe can have many.

    Raises:
        DatasetError: a probe without a mate, or a subject with two templates in the galleries.
    """
    rows = np.concatenate([gallery.rows for gallery in galleries])
    subject = np.concatenate([gallery.subject for gallery in galleries])
    _require_closed(subject, probes.subject)
    count = len(probes.rows)
    allowed = [int(np.ceil(rate * count)) for rate in rates]
    top = TopScores(max(allowed))

    def blocks() -> Any:
        done = 0
        for block in score_blocks(score, templates, probes.rows, rows):
            mated = subject == probes.subject[done : done + len(block), None]
            top.add(block[~mated])
            done += len(block)
            yield block

    found = search(blocks(), subject, probes.subject)
    highest = top.highest[::-1]
    return ClosedReadingResult(
        protocol="ijb-1:n",
        settings=settings_of(templates, reading="closed", score=score, **(settings or {})),
        cmc=cmc(found, ranks),
        pooled=tuple(
            _pooled_point(found.mate, highest, rate, k) for rate, k in zip(rates, allowed, strict=True)
        ),
        subjects=len(subject),
        probes=count,
    )


def _pooled_point(mate: np.ndarray, highest: np.ndarray, rate: float, allowed: int) -> SearchPoint:
    reason = ""
    if rate * len(mate) < 1 - 1e-9:
        reason = f"{counted(len(mate), 'probe')}, fewer than 1/rate"
    elif allowed > len(highest):
        reason = f"{counted(len(highest), 'score')} of other subjects, fewer than needed"
    if reason:
        return SearchPoint(rate, None, 0, None, None, None, reason)
    threshold = float(highest[allowed - 1])
    recalled = int((mate > threshold).sum())
    low, high = clopper_pearson(recalled, len(mate))
    return SearchPoint(rate, recalled / len(mate), 0, threshold, low, high)


def _require_closed(gallery: np.ndarray, probe: np.ndarray) -> None:
    unique, count = np.unique(gallery, return_counts=True)
    if (count > 1).any():
        twice = unique[count.argmax()]
        raise DatasetError(f"subject {twice} is in the galleries twice; the closed variant needs each subject once")
    absent = ~np.isin(probe, unique)
    if absent.any():
        raise DatasetError(
            f"probe subject {probe[absent.argmax()]} is in no gallery; the closed variant needs all to be enrolled"
        )
