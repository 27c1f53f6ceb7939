"""Calibration of a head on held-out faces: thresholds of its score, and the usual range of κ or σ²."""

from dataclasses import dataclass, replace

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.score import Logistic, score_pairs
from facepipe.train.evaluation.calibrate import MeasuredThreshold, curve_of, thresholds_at
from facepipe.train.heads.frozen import backbone_card, card_section
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Card, Probability, Threshold, Uncertainty

_LARGEST = 2000  # crops compared all against all: two million pairs, whose scores cost more than cosines
_QUANTILES = 21


@dataclass(frozen=True)
class Reference:
    """The calibration of a head, for the card and the summary.

    Attributes:
        uncertainty: the section of the card.
        thresholds: for the score ``scf`` or ``mls``.
        curve: the name of the score, and its probability curve if it could be fitted.
        notes: on thresholds that could not be measured.
    """

    uncertainty: Uncertainty
    thresholds: list[MeasuredThreshold]
    curve: tuple[str, Logistic | None]
    notes: list[str]


def reference(recipe: Recipe, embeddings: Embeddings, labels: np.ndarray, measured_on: str) -> Reference:
    """Calibrate a head.

    Args:
        recipe: a recipe with a head.
        embeddings: of N held-out faces, with kappa or sigma2.
        labels: int64 N, their identities.
        measured_on: description of the faces, for the card.
    """
    kind, score = ("kappa", "scf") if embeddings.kappa is not None else ("sigma2", "mls")
    left, right = np.triu_indices(min(len(labels), _LARGEST), 1)
    scores, same = score_pairs(score, embeddings, left, right), labels[left] == labels[right]
    thresholds, notes = thresholds_at(scores[same], scores[~same], recipe.evaluate.fars, score)
    curve, more = curve_of(scores[same], scores[~same])
    values = np.abs(uncertainty(kind, embeddings))
    quantiles = np.quantile(values, np.linspace(0, 1, _QUANTILES)).tolist()
    section = replace(card_section(recipe), quantiles=tuple(quantiles), measured_on=measured_on)
    return Reference(section, thresholds, (score, curve), notes + more)


def kept_thresholds(recipe: Recipe) -> list[Threshold]:
    """The cosine thresholds of the backbone's card, which a head does not affect; none if the backbone is trained."""
    card = _unchanged(recipe)
    return [] if card is None else [threshold for threshold in card.thresholds if threshold.score == "cosine"]


def kept_probabilities(recipe: Recipe) -> list[Probability]:
    """As `kept_thresholds`, for the probability curves of cosines."""
    card = _unchanged(recipe)
    return [] if card is None else [curve for curve in card.probabilities if curve.score == "cosine"]


def _unchanged(recipe: Recipe) -> Card | None:
    """The card of the head's backbone if its embeddings do not change."""
    if not recipe.uncertainty.head or recipe.uncertainty.finetune_backbone:
        return None
    card = backbone_card(recipe)
    return card if card.embedding.flip == recipe.model.flip else None
