"""BLUFR (Liao et al., IJCB 2014): verification and open-set identification over ten trials of LFW."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facepipe.datasets.templates.blufr import Blufr
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.identification.top_scores import TopScores
from facepipe.protocols.identification.trials import (
    MeanShare,
    MeanTar,
    MeanTpir,
    TrialFigures,
    mean_shares,
    mean_tar,
    mean_tpir,
    search_trial,
)
from facepipe.protocols.result import FLAT, Result, settings_of
from facepipe.protocols.roc import OperatingPoint
from facepipe.protocols.rows import find_rows
from facepipe.protocols.score_blocks import score_blocks
from facepipe.protocols.summary import cmc_line, points_table
from facepipe.tables import Summary

BLUFR_FARS = (1e-2, 1e-3, 1e-4)
BLUFR_FPIRS = (1e-1, 1e-2, 1e-3)
BLUFR_RANKS = (1, 5, 10)


@dataclass(frozen=True)
class BlufrTar(MeanTar):
    """VR at FAR; ``lower`` is mean minus standard deviation, the protocol's standard figure."""

    lower: float | None


@dataclass(frozen=True)
class BlufrDir(MeanTpir):
    """DIR at rank 1 and FAR, with ``lower`` as in `BlufrTar`."""

    lower: float | None


@dataclass(frozen=True)
class BlufrTrial:
    """One trial: VR over all pairs of its test images, and the search.

    Attributes:
        test: number of test images.
        genuine, impostor: number of their pairs.
        tar: VR at each FAR.
        search: of the probes in the gallery.
    """

    test: int
    genuine: int
    impostor: int
    tar: tuple[OperatingPoint, ...]
    search: TrialFigures = field(metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class BlufrResult(Result):
    """Means over the trials, and each trial."""

    tar: tuple[BlufrTar, ...]
    dir: tuple[BlufrDir, ...]
    cmc: dict[str, MeanShare]
    trials: tuple[BlufrTrial, ...]

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        title = f"BLUFR, {self.settings['model']}, score {self.settings['score']}, {len(self.trials)} trials"
        yield from points_table(self.tar, "far", "tar", f"{title}: verification (VR)")
        yield from points_table(self.dir, "fpir", "tpir", f"{title}: DIR at rank 1")
        yield cmc_line(self.cmc, "mated probes")


def evaluate_blufr(
    embeddings: Embeddings,
    lists: Blufr,
    score: str = "cosine",
    fars: Sequence[float] = BLUFR_FARS,
    fpirs: Sequence[float] = BLUFR_FPIRS,
    settings: dict[str, Any] | None = None,
) -> BlufrResult:
    """VR at FAR over all pairs of a trial's test images, and DIR at rank 1 and FAR over its probes.

    The protocol is reported as VR (another name for TAR) at FAR 0.1 % and DIR at rank 1, FAR 1 %, each as mean −
    standard deviation (n − 1) of the ten trials: ``lower`` under ``tar`` and ``dir``.

    Args:
        embeddings: of all images of ``lists``; paths end in ``Name/Name_0001``.
        lists: from `facepipe.datasets.templates.blufr.read_blufr`.
        score: see `facepipe.score.pairs.score_pairs`.
        fars: for verification; at most 0.01, since only the highest scores are kept.
        fpirs: for identification.
        settings: stored in the result.

    Raises:
        DatasetError: a rate is too large, or images are missing.
        EmbeddingsError: the embeddings lack what the score needs, or scores are not finite.
    """
    if max(fars) > 0.1:
        raise DatasetError(f"a rate of {max(fars):g} needs too many scores in memory; BLUFR reports 0.001")
    listed = embeddings.take(find_rows(embeddings, lists.names))
    trials = tuple(
        _verify(
            listed, lists.person, trial.test, score, fars,
            search_trial(listed, lists.person, trial.gallery, trial.probe, score, BLUFR_RANKS, fpirs),
        )
        for trial in lists.trials
    )  # fmt: skip
    searches = [trial.search.search for trial in trials]
    return BlufrResult(
        protocol="blufr",
        settings=settings_of(embeddings, score=score, **(settings or {})),
        tar=tuple(BlufrTar(**vars(p), lower=_lower(p.tar, p.std)) for p in mean_tar([t.tar for t in trials], 1)),
        dir=tuple(BlufrDir(**vars(p), lower=_lower(p.tpir, p.std)) for p in mean_tpir([s.tpir for s in searches], 1)),
        cmc=mean_shares([found.cmc for found in searches], 1),
        trials=trials,
    )


def _lower(mean: float | None, std: float | None) -> float | None:
    return None if mean is None or std is None else mean - std


def _verify(
    embeddings: Embeddings,
    person: np.ndarray,
    test: np.ndarray,
    score: str,
    fars: Sequence[float],
    found: TrialFigures,
) -> BlufrTrial:
    """VR over all pairs of the test images, keeping all genuine scores and the highest impostor scores."""
    pairs = len(test) * (len(test) - 1) // 2
    top = TopScores(int(max(fars) * pairs) + 2)
    genuine = []
    for scores, same in _pairs_of_all(embeddings, person, test, score):
        genuine.append(scores[same])
        top.add(scores[~same])
    genuine_scores = np.concatenate(genuine) if genuine else np.zeros(0)
    points = tuple(top.point(genuine_scores, far) for far in fars)
    return BlufrTrial(len(test), len(genuine_scores), top.total, points, found)


def _pairs_of_all(
    embeddings: Embeddings, person: np.ndarray, test: np.ndarray, score: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of all pairs of different images, and whether they show the same person, in blocks."""
    done = 0
    for block in score_blocks(score, embeddings, test, test):
        rows = np.arange(done, done + len(block))
        above = np.arange(len(test))[None, done:] > rows[:, None]
        same = person[test[rows], None] == person[test[None, done:]]
        yield block[:, done:][above], same[above]
        done += len(block)
