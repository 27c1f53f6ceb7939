"""A model's confidence in a face, relative to reference faces."""

from dataclasses import dataclass

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.zoo import Card

UNSURE = 0.05
"""A face counts as uncertain if less than this share of the reference faces have lower confidence."""


@dataclass(frozen=True)
class PlacedConfidence:
    """One face.

    Attributes:
        name: ``kappa`` or ``sigma2``.
        value: κ, or σ²; of a σ² per dimension the harmonic mean.
        share: share of the model card's reference faces with lower confidence; None if the card has none.
    """

    name: str
    value: float
    share: float | None

    @property
    def unsure(self) -> bool:
        """Whether to warn the user."""
        return self.share is not None and self.share < UNSURE


def confidences_of_faces(embeddings: Embeddings, card: Card) -> list[PlacedConfidence]:
    """One `PlacedConfidence` per row; empty if the model has no uncertainty head.

    Args:
        embeddings: by the model of ``card``.
        card: with the reference quantiles.
    """
    name = "kappa" if embeddings.kappa is not None else "sigma2"
    if card.uncertainty is None or getattr(embeddings, name) is None:
        return []
    found = []
    for value in abs(uncertainty(name, embeddings)).tolist():
        below = card.uncertainty.share_below(value)
        found.append(PlacedConfidence(name, value, 1 - below if name == "sigma2" and below is not None else below))
    return found
