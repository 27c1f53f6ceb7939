"""Pooling face embeddings into templates, with the switches of the published IJB scripts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.embedding.halves import HALVES, fold_halves
from facepipe.errors import DatasetError
from facepipe.nearest import did_you_mean
from facepipe.score import unit
from facepipe.score.pool import MEDIA_WEIGHTS, pool
from facepipe.score.poolings import POOLINGS, weighing

_TEMPLATES = 1_024


def template_poolings() -> list[str]:
    """``media``, and the rules of `facepipe.score.POOLINGS` except ``norm``, which is a switch here."""
    return ["media", *(rule for rule in POOLINGS if rule != "norm")]


@dataclass(frozen=True)
class TemplateRecipe:
    """How faces become templates; the defaults are those of insightface's ``ijb_11.py``.

    Attributes:
        pool: ``media``: mean within each photo or video, summed over these; ``mean``: mean of all faces.
            ``max``, ``kappa``, ``sigma2``, ``sigma2-min`` and ``sigma2-mean`` as in `facepipe.score.pool`, which
            define their own weights and ignore feature norm and detector score.
        halves: for embeddings made with flip ``concat``: ``sum`` adds both halves, ``first`` takes the
            unmirrored half, ``keep`` keeps both. Other embeddings are unchanged. Members of an
            ensemble are folded before they are joined: see `facepipe.ensemble.concatenate`.
        feature_norm: whether features are weighted by their norm.
        detector_score: whether features are multiplied by the detection score.
        media: whether to average faces of one photo or video first; None: yes, except for ``mean``.
        media_weights: for rules with confidence weights: ``together``, a medium has the total weight of its faces
            (Eq. 14 over all faces, PFE, ProbFace); ``equal``, all media have equal weight.
        temperature: ProbFace's T for these rules: weights are raised to 1/T.
    """

    pool: str = "media"
    halves: str = "sum"
    feature_norm: bool = True
    detector_score: bool = True
    media: bool | None = None
    media_weights: str = "together"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.pool not in template_poolings():
            raise DatasetError(f"unknown pooling rule {self.pool!r}; {did_you_mean(self.pool, template_poolings())}")
        if self.halves not in HALVES:
            raise DatasetError(f"halves {self.halves!r} is unknown; choose one of {', '.join(HALVES)}")
        if self.pool == "media" and self.media is False:
            raise DatasetError("pooling by media without media averaging is the same as pooling by mean; use 'mean'")
        if self.media_weights not in MEDIA_WEIGHTS:
            choices = ", ".join(MEDIA_WEIGHTS)
            raise DatasetError(f"media weights {self.media_weights!r} are unknown; choose one of {choices}")
        if not self.temperature > 0:
            raise DatasetError(f"a temperature must be above 0, not {self.temperature:g}")
        if self.pool not in weighing() and (self.media_weights, self.temperature) != ("together", 1.0):
            raise DatasetError(
                f"pooling by {self.pool} has no confidence weights; media weights and temperature are for "
                f"{', '.join(weighing())}"
            )

    @property
    def by_media(self) -> bool:
        """Whether faces of one medium are averaged first."""
        return self.pool != "mean" if self.media is None else self.media

    @property
    def weighted(self) -> bool:
        """Whether feature norm and detector score apply."""
        return self.pool in ("media", "mean")

    def settings(self) -> dict[str, Any]:
        """The settings as JSON values; a switch that does not apply to the rule is None."""
        return {
            "pool": self.pool,
            "halves": self.halves,
            "feature_norm": self.feature_norm if self.weighted else None,
            "detector_score": self.detector_score if self.weighted else None,
            "media": self.by_media,
            "media_weights": self.media_weights if self.pool in weighing() and self.by_media else None,
            "temperature": self.temperature if self.pool in weighing() else None,
        }


def pool_templates(
    embeddings: Embeddings,
    template: np.ndarray,
    count: int,
    media: np.ndarray,
    detector_score: np.ndarray | None,
    recipe: TemplateRecipe,
    face: np.ndarray | None = None,
) -> Embeddings:
    """Embeddings of T templates, in blocks of templates, to avoid copying all faces.

    Args:
        embeddings: of N faces.
        template: int64 M, 0 … T−1, template of each line of the list.
        count: T.
        media: int64 M, medium of each line.
        detector_score: float32 N, of each face; NaN counts as 1.
        recipe: how to pool.
        face: int64 M, face of each line; None if lines and faces coincide.

    Raises:
        DatasetError: a template has no face, there are no detector scores, or a template's embedding is not finite.
        EmbeddingsError: kappa or sigma2 is missing but needed, or an ensemble has halves of several models.
    """
    if recipe.weighted and recipe.detector_score and detector_score is None:
        raise DatasetError("these embeddings have no detector scores; switch them off, or embed the images again")
    plain = replace(embeddings, paths=(), failed=())
    parts = []
    for lines, first, size in _blocks(template, count):
        rows = lines if face is None else face[lines]
        part = fold_halves(plain.take(rows), recipe.halves)
        mu = part.mu
        if recipe.weighted:
            mu = mu if recipe.feature_norm else unit(mu)
            if recipe.detector_score and detector_score is not None:
                mu = mu * np.nan_to_num(detector_score[rows], nan=1.0)[:, None]
        rule = "norm" if recipe.weighted else recipe.pool
        groups = media[lines] if recipe.by_media else None
        number = template[lines] - first
        weighing = recipe.media_weights, recipe.temperature
        pooled = pool(replace(part, mu=mu), number, rule, groups, size, *weighing)
        if not np.isfinite(pooled.mu).all():
            raise DatasetError(f"embeddings of {embeddings.model} are not all finite; check the model and embed again")
        parts.append(pooled)
    return _stacked(parts)


def _blocks(template: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Lines of the next templates, the first template and their number."""
    order = np.argsort(template, kind="stable")
    ends = np.cumsum(np.bincount(template, minlength=count))
    if count == 0 or (np.diff(ends, prepend=0) == 0).any():
        raise DatasetError("a template has no faces; the lists belong to different datasets")
    for first in range(0, count, _TEMPLATES):
        last = min(first + _TEMPLATES, count)
        yield order[ends[first - 1] if first else 0 : ends[last - 1]], first, last - first


def _stacked(parts: list[Embeddings]) -> Embeddings:
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("mu", "detected", "kappa", "sigma2")
        if getattr(parts[0], name) is not None
    }
    return replace(parts[0], **fields)
