"""What faces of nobody trained on say of a head: thresholds of its score, and which κ or σ² are usual."""

from dataclasses import dataclass, replace

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.score import Logistic, score_pairs
from facepipe.train.evaluation.calibrate import MeasuredThreshold, curve_of, thresholds_at
from facepipe.train.heads.frozen import backbone_card, of_card
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Card, Probability, Threshold, Uncertainty

_LARGEST = 2000  # crops compared, all with all: two million pairs, whose scores are dearer than cosines
_QUANTILES = 21


@dataclass(frozen=True)
class Reference:
    """For the card and the summary.

    Attributes:
        uncertainty: the card's section.
        thresholds: of the score ``scf`` or ``mls``.
        curve: the probability that this score stands for, if it can be told.
        notes: on thresholds that could not be measured.
    """

    uncertainty: Uncertainty
    thresholds: list[MeasuredThreshold]
    curve: tuple[str, Logistic | None]
    notes: list[str]


def reference(recipe: Recipe, embeddings: Embeddings, labels: np.ndarray, measured_on: str) -> Reference:
    """Measure a head.

    Args:
        recipe: with a head.
        embeddings: of N held-out faces, with kappa or sigma2.
        labels: int64 N, who is who.
        measured_on: what they are, for the card.
    """
    kind, score = ("kappa", "scf") if embeddings.kappa is not None else ("sigma2", "mls")
    left, right = np.triu_indices(min(len(labels), _LARGEST), 1)
    scores, same = score_pairs(score, embeddings, left, right), labels[left] == labels[right]
    thresholds, notes = thresholds_at(scores[same], scores[~same], recipe.evaluate.fars, score)
    curve, more = curve_of(scores[same], scores[~same])
    values = np.abs(uncertainty(kind, embeddings))
    quantiles = np.quantile(values, np.linspace(0, 1, _QUANTILES)).tolist()
    section = replace(of_card(recipe), quantiles=tuple(quantiles), measured_on=measured_on)
    return Reference(section, thresholds, (score, curve), notes + more)


def kept_thresholds(recipe: Recipe) -> list[Threshold]:
    """Those of the backbone's card for cosines, which a head leaves as they are; none if the backbone is trained."""
    card = _unchanged(recipe)
    return [] if card is None else [threshold for threshold in card.thresholds if threshold.score == "cosine"]


def kept_probabilities(recipe: Recipe) -> list[Probability]:
    """As `kept_thresholds`, of the curves for cosines."""
    card = _unchanged(recipe)
    return [] if card is None else [curve for curve in card.probabilities if curve.score == "cosine"]


def _unchanged(recipe: Recipe) -> Card | None:
    """The card of a backbone that gets a head and embeds as before."""
    if not recipe.uncertainty.head or recipe.uncertainty.finetune_backbone:
        return None
    card = backbone_card(recipe)
    return card if card.embedding.flip == recipe.model.flip else None
