"""Open-set and closed-set identification on LFW (Best-Rowden et al., TIFS 2014; lists as in ProbFace)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from facepipe.datasets.templates.openset import OpenSetLists
from facepipe.embedding import Embeddings
from facepipe.protocols.identification.trials import (
    MeanShare,
    MeanTpir,
    TrialFigures,
    mean_shares,
    mean_tpir,
    search_trial,
)
from facepipe.protocols.result import Result, settings_of
from facepipe.protocols.rows import find_rows
from facepipe.protocols.summary import cmc_line, points_table
from facepipe.tables import Note, Summary

OPENSET_FPIRS = (1e-2, 1e-3, 1e-4)
OPENSET_RANKS = (1, 5, 10)


@dataclass(frozen=True, kw_only=True)
class OpenSetResult(Result):
    """Means over the trials, and each trial; ``dir`` is DIR at rank 1 and FAR."""

    dir: tuple[MeanTpir, ...]
    cmc: dict[str, MeanShare]
    trials: tuple[TrialFigures, ...]

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        settings = self.settings
        kind = "closed set" if settings["closed"] else "open set"
        title = f"LFW, {kind}, {settings['model']}, score {settings['score']}, {len(self.trials)} trials"
        if not settings["closed"]:
            yield from points_table(self.dir, "fpir", "tpir", f"{title}: DIR at rank 1")
        yield cmc_line(self.cmc, f"{title}, mated probes")
        if settings["lists"] != "published":
            drawn = f"lists {settings['lists']}: same sizes as the published lists, but different contents"
            yield Note(drawn, warning=True)


def evaluate_openset(
    embeddings: Embeddings,
    lists: OpenSetLists,
    score: str = "cosine",
    fpirs: Sequence[float] = OPENSET_FPIRS,
    settings: dict[str, Any] | None = None,
) -> OpenSetResult:
    """DIR at rank 1 and FAR, and the CMC of the mated probes: mean and standard deviation (n − 1) over the trials.

    Args:
        embeddings: of the images in ``lists``; paths end in ``Name/Name_0001``.
        lists: from `facepipe.datasets.templates.openset`.
        score: see `facepipe.score.pairs.score_pairs`.
        fpirs: false-accept rates, as shares of the non-mated probes.
        settings: stored in the result.

    Raises:
        DatasetError: images are missing.
        EmbeddingsError: the embeddings lack what the score needs, or scores are not finite.
    """
    listed = embeddings.take(find_rows(embeddings, lists.names))
    trials = tuple(
        search_trial(listed, lists.person, trial.gallery, trial.probe, score, OPENSET_RANKS, fpirs)
        for trial in lists.trials
    )
    more = {"score": score, "closed": lists.closed, "lists": lists.origin}
    return OpenSetResult(
        protocol="openset",
        settings=settings_of(embeddings, **more, **(settings or {})),
        dir=mean_tpir([trial.search.tpir for trial in trials], ddof=1),
        cmc=mean_shares([trial.search.cmc for trial in trials], ddof=1),
        trials=trials,
    )
