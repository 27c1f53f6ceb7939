"""IJB-B and IJB-C, 1:1: TAR at FAR over pairs of templates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facepipe.datasets.templates.ijb import IjbFaces, TemplatePairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.ijb.template_pooling import TemplateRecipe, pool_templates
from facepipe.protocols.result import HIDDEN, Result, settings_of
from facepipe.protocols.roc import (
    FARS,
    OperatingPoint,
    area_under_curve,
    equal_error_rate,
    tar_at_far,
    tar_at_nearest_fpr,
)
from facepipe.protocols.summary import ijb_title, percent, tar_table
from facepipe.protocols.verification.outcomes import MOST_SCORES, Outcomes
from facepipe.score.pairs import score_pairs
from facepipe.tables import Summary, TextLine, counted

IJB_RULES = {"exact": tar_at_far, "nearest": tar_at_nearest_fpr}
"""``exact``: the threshold is the k-th highest impostor score, k = ⌊FAR·N⌋; accept at or above it; with ties the next
higher score, so that no more than k pass (`facepipe.score.threshold_at_far`).
``nearest``: the point of the ROC curve with the nearest FPR, as in insightface's ``ijb_11.py``."""


@dataclass(frozen=True, kw_only=True)
class TemplatesResult(Result):
    """TAR at FAR over pairs of templates.

    Attributes:
        tar: at each false-accept rate.
        eer, auc: equal error rate, area under the curve.
        templates, genuine, impostor: counts.
        faces: number of faces in the templates; not in JSON.
    """

    tar: tuple[OperatingPoint, ...]
    eer: float | None
    auc: float | None
    templates: int
    genuine: int
    impostor: int
    faces: int | None = field(default=None, metadata=HIDDEN)

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        pairs = f"{self.genuine:,} genuine and {counted(self.impostor, 'impostor pair')}"
        counts = pairs if self.faces is None else f"{counted(self.faces, 'face')}, {pairs}"
        yield from tar_table(self.tar, f"{ijb_title(self.settings, '1:1')}, rule {self.settings['rule']}, {counts}")
        yield TextLine(f"equal error rate {percent(self.eer)}")


def ijb_templates(
    embeddings: Embeddings, faces: IjbFaces, recipe: TemplateRecipe
) -> tuple[np.ndarray, Embeddings]:
    """Numbers of all templates, ascending int64 T, and their embeddings.

    Args:
        embeddings: of the faces, row by row.
        faces: the list.
        recipe: how faces become templates.

    Raises:
        DatasetError: the numbers of embeddings and faces differ, or see `pool_templates`.
    """
    if len(embeddings) != len(faces):
        raise DatasetError(f"{counted(len(embeddings), 'embedding')}, but the list has {counted(len(faces), 'face')}")
    numbers, template = np.unique(faces.template, return_inverse=True)
    return numbers, pool_templates(embeddings, template, len(numbers), faces.media, faces.detector_score, recipe)


def evaluate_ijb_verification(
    templates: Embeddings,
    pairs: TemplatePairs,
    score: str = "cosine",
    rule: str = "exact",
    fars: Sequence[float] = FARS,
    settings: dict[str, Any] | None = None,
) -> TemplatesResult:
    """TAR at each FAR, equal error rate and area under the curve.

    Args:
        templates: from `ijb_templates`.
        pairs: rows of ``templates``.
        score: ``cosine``, ``scf`` or ``mls``, see `facepipe.score.pairs.score_pairs`.
        rule: ``exact`` or ``nearest``, see `IJB_RULES`.
        fars: false-accept rates.
        settings: stored in the result.

    Raises:
        DatasetError: unknown rule.
        EmbeddingsError: the templates lack what the score needs.
        FacepipeError: a score is not finite.
    """
    if rule not in IJB_RULES:
        raise DatasetError(f"rule {rule!r} is unknown; choose one of {', '.join(IJB_RULES)}")
    scores = score_pairs(score, templates, pairs.left, pairs.right)
    genuine, impostor = scores[pairs.same], scores[~pairs.same]
    outcomes = Outcomes(pairs.same, None, scores.astype(np.float32)) if len(pairs) <= MOST_SCORES else None
    del scores
    # Sorted once here, so that later sorts are cheap.
    genuine.sort()
    impostor.sort()
    return TemplatesResult(
        protocol="ijb-1:1",
        settings=settings_of(templates, score=score, rule=rule, **(settings or {})),
        outcomes=outcomes,
        tar=IJB_RULES[rule](genuine, impostor, fars),
        eer=equal_error_rate(genuine, impostor),
        auc=area_under_curve(genuine, impostor),
        templates=len(templates),
        genuine=len(genuine),
        impostor=len(impostor),
    )
