"""IJB-A (Klare et al., CVPR 2015): verification and search over ten splits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facepipe.datasets.templates.ijba import SearchSplit, TemplateFaces, VerifySplit
from facepipe.embedding import Embeddings, join
from facepipe.errors import DatasetError
from facepipe.protocols.identification.search import RANKS, SearchFigures, search, search_figures
from facepipe.protocols.identification.trials import MeanShare, MeanTar, MeanTpir, mean_shares, mean_tar, mean_tpir
from facepipe.protocols.ijb.template_pooling import TemplateRecipe, pool_templates
from facepipe.protocols.result import FLAT, Result, settings_of
from facepipe.protocols.roc import OperatingPoint, tar_at_far, tar_at_rounded_far
from facepipe.protocols.rows import find_rows
from facepipe.protocols.score_blocks import score_blocks
from facepipe.protocols.summary import cmc_line, points_table
from facepipe.score.pairs import score_pairs
from facepipe.tables import Note, Summary

IJBA_FARS = (1e-1, 1e-2, 1e-3)
IJBA_FPIRS = (1e-1, 1e-2)
IJBA_RULES = {"exact": tar_at_far, "rounded": tar_at_rounded_far}
"""The threshold is the k-th highest impostor score; accept at or above it. ``exact``: k = ⌊FAR·N⌋, or with ties the
next higher score, so that no more than k pass. ``rounded``: k = round(FAR·N), as in PFE's code."""
IJBA_RECIPE = TemplateRecipe(feature_norm=False, detector_score=False)
"""Mean of unit features within each photo or video, then over these."""
SPLITS = 10


@dataclass(frozen=True)
class VerifyFigures:
    """One split: its number, counts of pairs, and TAR at each FAR."""

    split: int
    genuine: int
    impostor: int
    tar: tuple[OperatingPoint, ...]


@dataclass(frozen=True)
class SplitSearch:
    """One split: its number and search figures."""

    split: int
    search: SearchFigures = field(metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class IjbaVerifyResult(Result):
    """Means over the splits, and each split."""

    tar: tuple[MeanTar, ...]
    splits: tuple[VerifyFigures, ...]

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        title = f"{_title(self.settings, len(self.splits))}, rule {self.settings['rule']}"
        yield from points_table(self.tar, "far", "tar", title)
        yield from _too_few(len(self.splits))


@dataclass(frozen=True, kw_only=True)
class IjbaSearchResult(Result):
    """Means over the splits, and each split."""

    cmc: dict[str, MeanShare]
    tpir: tuple[MeanTpir, ...]
    splits: tuple[SplitSearch, ...]

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        yield cmc_line(self.cmc, "mated probes")
        yield from points_table(self.tpir, "fpir", "tpir", _title(self.settings, len(self.splits)))
        yield from _too_few(len(self.splits))


def _title(settings: dict[str, Any], splits: int) -> str:
    return f"IJB-A, {settings['model']}, score {settings['score']}, pool {settings['pool']}, {splits} splits"


def _too_few(splits: int) -> Iterator[Summary]:
    if splits < SPLITS:
        what = f"{splits} of the protocol's {SPLITS} splits"
        yield Note(f"{what}: not comparable with published figures", warning=True)


def verify_names(splits: Iterable[VerifySplit]) -> list[str]:
    """All faces of the splits, without duplicates."""
    return list(dict.fromkeys(name for split in splits for name in split.faces.names))


def search_names(splits: Iterable[SearchSplit]) -> list[str]:
    """All faces of the splits, without duplicates."""
    lists = (faces for split in splits for faces in (split.gallery, split.probes))
    return list(dict.fromkeys(name for faces in lists for name in faces.names))


def evaluate_ijba_verify(
    embeddings: Embeddings,
    splits: Sequence[VerifySplit],
    recipe: TemplateRecipe = IJBA_RECIPE,
    score: str = "cosine",
    rule: str = "exact",
    fars: Sequence[float] = IJBA_FARS,
    settings: dict[str, Any] | None = None,
) -> IjbaVerifyResult:
    """TAR at FAR: mean and standard deviation (over n, as in PFE) over the splits, and each split's table.

    Args:
        embeddings: of all faces, with paths ending in ``SUBJECT/img_8565``.
        splits: one or more.
        recipe: how faces become templates; detector scores come from the embeddings.
        score: see `facepipe.score.pairs.score_pairs`.
        rule: ``exact`` or ``rounded``, see `IJBA_RULES`.
        fars: false-accept rates.
        settings: stored in the result.

    Raises:
        DatasetError: unknown rule, a face is missing, or an embedding is not finite.
        EmbeddingsError: the embeddings lack what the score or the pooling rule needs.
    """
    if rule not in IJBA_RULES:
        raise DatasetError(f"rule {rule!r} is unknown; choose one of {', '.join(IJBA_RULES)}")
    found = []
    for split in splits:
        templates = _templates(embeddings, split.faces, recipe)
        scores, same = score_pairs(score, templates, split.left, split.right), split.same
        points = IJBA_RULES[rule](scores[same], scores[~same], fars)
        found.append(VerifyFigures(split.number, int(same.sum()), int((~same).sum()), points))
    more = recipe.settings() | (settings or {})
    return IjbaVerifyResult(
        protocol="ijba-verify",
        settings=settings_of(embeddings, score=score, rule=rule, **more),
        tar=mean_tar([one.tar for one in found]),
        splits=tuple(found),
    )


def evaluate_ijba_search(
    embeddings: Embeddings,
    splits: Sequence[SearchSplit],
    recipe: TemplateRecipe = IJBA_RECIPE,
    score: str = "cosine",
    ranks: Sequence[int] = RANKS,
    fpirs: Sequence[float] = IJBA_FPIRS,
    settings: dict[str, Any] | None = None,
) -> IjbaSearchResult:
    """CMC of the mated probes and TPIR at FPIR (rank 1): mean and standard deviation over the splits.

    Arguments and errors as in `evaluate_ijba_verify`.
    """
    searched = []
    for split in splits:
        gallery, probes = (_templates(embeddings, faces, recipe) for faces in (split.gallery, split.probes))
        both = join([gallery, probes])
        rows = np.arange(len(both))
        blocks = score_blocks(score, both, rows[len(gallery) :], rows[: len(gallery)])
        found = search(blocks, split.gallery.subject, split.probes.subject)
        searched.append(SplitSearch(split.number, search_figures(found, ranks, fpirs)))
    return IjbaSearchResult(
        protocol="ijba-search",
        settings=settings_of(embeddings, score=score, **recipe.settings(), **(settings or {})),
        cmc=mean_shares([one.search.cmc for one in searched]),
        tpir=mean_tpir([one.search.tpir for one in searched]),
        splits=tuple(searched),
    )


def _templates(embeddings: Embeddings, faces: TemplateFaces, recipe: TemplateRecipe) -> Embeddings:
    face = find_rows(embeddings, faces.names)[faces.face]
    return pool_templates(
        embeddings, faces.template, len(faces.ids), faces.media, embeddings.detection_score, recipe, face
    )
