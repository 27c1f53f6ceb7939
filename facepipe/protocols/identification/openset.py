"""Open-set and closed-set identification on LFW (Best-Rowden et al., TIFS 2014; lists as ProbFace has them)."""

from collections.abc import Sequence
from typing import Any

from facepipe.datasets.templates.openset import OpenSetLists
from facepipe.embedding import Embeddings
from facepipe.protocols.identification.lfw_trials import search_trial
from facepipe.protocols.identification.over_trials import over_points, over_shares
from facepipe.protocols.result import Result, settings_of
from facepipe.protocols.rows import find_rows

FPIRS = (1e-2, 1e-3, 1e-4)
RANKS = (1, 5, 10)


def evaluate_openset(
    embeddings: Embeddings,
    lists: OpenSetLists,
    score: str = "cosine",
    fpirs: Sequence[float] = FPIRS,
    settings: dict[str, Any] | None = None,
) -> Result:
    """DIR at rank 1 and FAR, and the CMC of the mated probes: mean and standard deviation (n − 1) over the trials.

    Args:
        embeddings: of the images of ``lists``; paths end in ``Name/Name_0001``.
        lists: from `facepipe.datasets.templates.openset`.
        score: see `facepipe.score.pairs.score_pairs`.
        fpirs: false-accept rates: shares of the non-mated probes.
        settings: to be kept in the result.

    Raises:
        DatasetError: images are missing.
        EmbeddingsError: the embeddings lack what the score needs, or scores are NaN.
    """
    own = embeddings.take(find_rows(embeddings, lists.names))
    trials = [
        search_trial(own, lists.person, trial.gallery, trial.probe, score, RANKS, fpirs)
        for trial in lists.trials
    ]
    figures = {
        "dir": over_points([trial["tpir"] for trial in trials], "fpir", "tpir", ddof=1),
        "cmc": over_shares([trial["cmc"] for trial in trials], ddof=1),
        "trials": trials,
    }
    more = {"score": score, "closed": lists.closed, "lists": lists.origin}
    return Result("openset", figures, settings_of(embeddings, **more, **(settings or {})))
