"""What faces of nobody trained on say of a head: thresholds of its score, and which κ or σ² are usual."""

from dataclasses import dataclass

import numpy as np

from facepipe.embed import Embeddings
from facepipe.protocols.confidence import uncertainty
from facepipe.score import score_pairs
from facepipe.train.calibrate import Threshold, thresholds_at
from facepipe.train.frozen import backbone_card, of_card
from facepipe.train.recipe import Recipe
from facepipe.zoo import Threshold as CardThreshold
from facepipe.zoo import Uncertainty

_LARGEST = 2000  # crops compared, all with all: two million pairs, whose scores are dearer than cosines
_QUANTILES = 21


@dataclass(frozen=True)
class Reference:
    """For the card and the summary.

    Attributes:
        uncertainty: the card's section.
        thresholds: of the score ``scf`` or ``mls``.
        notes: on thresholds that could not be measured.
    """

    uncertainty: Uncertainty
    thresholds: list[Threshold]
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
    values = np.abs(uncertainty(kind, embeddings))
    quantiles = np.quantile(values, np.linspace(0, 1, _QUANTILES)).tolist()
    section = of_card(recipe).model_copy(update={"quantiles": tuple(quantiles), "measured_on": measured_on})
    return Reference(section, thresholds, notes)


def kept_thresholds(recipe: Recipe) -> list[CardThreshold]:
    """Those of the backbone's card for cosines, which a head leaves as they are; none if the backbone is trained."""
    if not recipe.uncertainty.head or recipe.uncertainty.finetune_backbone:
        return []
    card = backbone_card(recipe)
    if card.embedding.flip != recipe.model.flip:
        return []
    return [threshold for threshold in card.thresholds if threshold.score == "cosine"]
