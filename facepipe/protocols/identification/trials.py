"""Trials or splits of a search: figures of each, and mean and standard deviation over all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.identification.search import SearchFigures, SearchPoint, search, search_figures
from facepipe.protocols.result import FLAT
from facepipe.protocols.roc import OperatingPoint
from facepipe.protocols.score_blocks import score_blocks


@dataclass(frozen=True)
class TrialFigures:
    """One trial: size of the gallery, and search figures."""

    gallery: int
    search: SearchFigures = field(metadata=FLAT)


@dataclass(frozen=True)
class MeanTar:
    """TAR at a FAR over trials; None if any trial has none, see ``reason``."""

    far: float
    tar: float | None
    std: float | None
    trials: int
    reason: str


@dataclass(frozen=True)
class MeanTpir:
    """TPIR (DIR) at a FPIR over trials; None if any trial has none, see ``reason``."""

    fpir: float
    tpir: float | None
    std: float | None
    trials: int
    reason: str


@dataclass(frozen=True)
class MeanShare:
    """A share over trials; None if any trial has none."""

    share: float | None
    std: float | None
    trials: int


def search_trial(
    embeddings: Embeddings,
    person: np.ndarray,
    gallery: np.ndarray,
    probe: np.ndarray,
    score: str,
    ranks: Sequence[int],
    fpirs: Sequence[float],
) -> TrialFigures:
    """Counts, CMC and DIR at FAR of one trial.

    Args:
        embeddings: of all images.
        person: int64, of each image.
        gallery, probe: int64, rows of ``embeddings``.
        score: see `facepipe.score.pairs.score_pairs`.
        ranks: of the CMC.
        fpirs: false-accept rates.
    """
    blocks = score_blocks(score, embeddings, probe, gallery)
    return TrialFigures(len(gallery), search_figures(search(blocks, person[gallery], person[probe]), ranks, fpirs))


def mean_tar(tables: Sequence[Sequence[OperatingPoint]], ddof: int = 0) -> tuple[MeanTar, ...]:
    """Operating points of several trials as one table.

    Args:
        tables: for each trial, points at the same rates.
        ddof: 0 divides the variance by the number of trials n, 1 by n − 1.
    """
    return tuple(
        MeanTar(points[0].far, *_over([point.tar for point in points], ddof), _reason(points))
        for points in zip(*tables, strict=True)
    )


def mean_tpir(tables: Sequence[Sequence[SearchPoint]], ddof: int = 0) -> tuple[MeanTpir, ...]:
    """Like `mean_tar`, for search points."""
    return tuple(
        MeanTpir(points[0].fpir, *_over([point.tpir for point in points], ddof), _reason(points))
        for points in zip(*tables, strict=True)
    )


def mean_shares(tables: Sequence[Mapping[str, float | None]], ddof: int = 0) -> dict[str, MeanShare]:
    """Named shares of several trials."""
    return {name: MeanShare(*_over([table[name] for table in tables], ddof)) for name in tables[0]}


def _over(values: Sequence[float | None], ddof: int) -> tuple[float | None, float | None, int]:
    """Mean, standard deviation and number."""
    known = np.array([value for value in values if value is not None])
    whole = len(known) == len(values)
    mean = float(known.mean()) if whole else None
    return mean, float(known.std(ddof=ddof)) if whole and len(known) > 1 else None, len(values)


def _reason(points: Sequence[OperatingPoint | SearchPoint]) -> str:
    reasons = [point.reason for point in points if point.reason]
    return f"{reasons[0]} (in {len(reasons)} of {len(points)} trials)" if reasons else ""
