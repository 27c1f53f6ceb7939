"""A card with what was measured."""

from dataclasses import replace

from facepipe.calibration.calibrate import Calibration
from facepipe.zoo import Card


def calibrated_card(card: Card, measured: Calibration) -> Card:
    """The card with new thresholds, probabilities and quantiles of the flip rule that was measured.

    Those of other flip rules stay; of the same flip rule all are replaced, those of scores that were not measured too:
    a card speaks of one set of faces.
    """
    own = card.embedding.flip
    flip = None if measured.flip == own else measured.flip
    kept = [one for one in card.thresholds if (one.flip or own) != measured.flip]
    kept_curves = [one for one in card.probabilities if (one.flip or own) != measured.flip]
    thresholds = [replace(one, flip=flip) for one in measured.thresholds]
    curves = [replace(one, flip=flip) for one in measured.probabilities]
    section = card.uncertainty
    if section is not None and measured.quantiles and flip is None:
        section = replace(section, quantiles=measured.quantiles, measured_on=measured.measured_on)
    return replace(
        card, thresholds=(*thresholds, *kept), probabilities=(*curves, *kept_curves), uncertainty=section
    )
