"""BLUFR (Liao et al., IJCB 2014): verification and open-set identification over ten trials of LFW."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facepipe.datasets.templates.blufr import Blufr
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.identification.lfw_trials import search_trial
from facepipe.protocols.identification.over_trials import over_points, over_shares
from facepipe.protocols.identification.top_scores import TopScores
from facepipe.protocols.result import Result, settings_of, tar_table
from facepipe.protocols.rows import find_rows
from facepipe.protocols.score_blocks import score_blocks

FARS = (1e-2, 1e-3, 1e-4)
FPIRS = (1e-1, 1e-2, 1e-3)
RANKS = (1, 5, 10)


def evaluate_blufr(
    embeddings: Embeddings,
    lists: Blufr,
    score: str = "cosine",
    fars: Sequence[float] = FARS,
    fpirs: Sequence[float] = FPIRS,
    settings: dict[str, Any] | None = None,
) -> Result:
    """VR at FAR over all pairs of a trial's test images, and DIR at rank 1 and FAR over its probes.

    The protocol is reported as VR (another name for TAR) at FAR 0.1 % and DIR at rank 1, FAR 1 %, each as mean −
    standard deviation (n − 1) of the ten trials: ``lower`` under ``tar`` and ``dir``.

    Args:
        embeddings: of all images of ``lists``; paths end in ``Name/Name_0001``.
        lists: from `facepipe.datasets.templates.blufr.read_blufr`.
        score: see `facepipe.score.pairs.score_pairs`.
        fars: of the verification; at most 0.01, since only the highest scores are kept.
        fpirs: of the identification.
        settings: to be kept in the result.

    Raises:
        DatasetError: a rate is too large, or images are missing.
        EmbeddingsError: the embeddings lack what the score needs, or scores are NaN.
    """
    if max(fars) > 0.1:
        raise DatasetError(f"a rate of {max(fars):g} keeps too many scores; BLUFR reports 0.001")
    own = embeddings.take(find_rows(embeddings, lists.names))
    trials = []
    for trial in lists.trials:
        found = search_trial(own, lists.person, trial.gallery, trial.probe, score, RANKS, fpirs)
        trials.append({**_verify(own, lists.person, trial.test, score, fars), **found})
    figures = {
        "tar": with_lower(over_points([trial["tar"] for trial in trials], "far", "tar", ddof=1), "tar"),
        "dir": with_lower(over_points([trial["tpir"] for trial in trials], "fpir", "tpir", ddof=1), "tpir"),
        "cmc": over_shares([trial["cmc"] for trial in trials], ddof=1),
        "trials": trials,
    }
    return Result("blufr", figures, settings_of(embeddings, score=score, **(settings or {})))


def with_lower(points: list[dict[str, Any]], share: str) -> list[dict[str, Any]]:
    """``lower``: mean minus standard deviation, the figure that the protocol compares methods by."""
    return [
        {**point, "lower": None if point["std"] is None else point[share] - point["std"]} for point in points
    ]


def _verify(
    embeddings: Embeddings, person: np.ndarray, test: np.ndarray, score: str, fars: Sequence[float]
) -> dict[str, Any]:
    """VR of all pairs of the test images: the genuine ones are kept, of the impostors the highest."""
    pairs = len(test) * (len(test) - 1) // 2
    top = TopScores(int(max(fars) * pairs) + 2)
    genuine = []
    for scores, same in _pairs_of_all(embeddings, person, test, score):
        genuine.append(scores[same])
        top.add(scores[~same])
    own = np.concatenate(genuine) if genuine else np.zeros(0)
    points = tuple(top.point(own, far) for far in fars)
    return {"test": len(test), "genuine": len(own), "impostor": top.total, "tar": tar_table(points)}


def _pairs_of_all(
    embeddings: Embeddings, person: np.ndarray, test: np.ndarray, score: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of every two different images once, and whether they show one person, block by block."""
    done = 0
    for block in score_blocks(score, embeddings, test, test):
        rows = np.arange(done, done + len(block))
        above = np.arange(len(test))[None, done:] > rows[:, None]
        same = person[test[rows], None] == person[test[None, done:]]
        yield block[:, done:][above], same[above]
        done += len(block)
