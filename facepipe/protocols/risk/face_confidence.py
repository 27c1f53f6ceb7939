"""How sure a model is of a face, among the faces it usually sees."""

from dataclasses import dataclass

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.zoo import Card

UNSURE = 0.05
"""A face of which a model is less sure than of all but this share of the reference is called uncertain."""


@dataclass(frozen=True)
class PlacedConfidence:
    """One face.

    Attributes:
        name: ``kappa`` or ``sigma2``.
        value: κ, or σ²; of a σ² per dimension the harmonic mean.
        share: of the reference faces on the model's card of which it is less sure; None where the card has none.
    """

    name: str
    value: float
    share: float | None

    @property
    def unsure(self) -> bool:
        """Whether people should be told."""
        return self.share is not None and self.share < UNSURE


def confidences_of_faces(embeddings: Embeddings, card: Card) -> list[PlacedConfidence]:
    """One `PlacedConfidence` per row; empty where the model has no uncertainty head.

    Args:
        embeddings: by the model of ``card``.
        card: has the reference.
    """
    name = "kappa" if embeddings.kappa is not None else "sigma2"
    if card.uncertainty is None or getattr(embeddings, name) is None:
        return []
    found = []
    for value in abs(uncertainty(name, embeddings)).tolist():
        below = card.uncertainty.share_below(value)
        found.append(PlacedConfidence(name, value, 1 - below if name == "sigma2" and below is not None else below))
    return found
