"""The false-match rate at a score, from the thresholds of a card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facepipe.zoo.card import Card, Population, Threshold

POPULATIONS: dict[Population, str] = {"random": "people at random", "alike": "people who are alike"}
"""Populations of impostors on cards → their description."""


@dataclass(frozen=True)
class MatchRate:
    """A false-match rate at a score.

    Attributes:
        rate: share of impostor pairs with at least that score.
        bound: empty if the rate was measured or interpolated; ``at most`` above the strictest threshold, ``at least``
            below the loosest.
        measured_on: the pairs, from the card.
    """

    rate: float
    bound: str
    measured_on: str

    @property
    def in_words(self) -> str:
        """Such as ``1 in 140``, with two significant digits."""
        if self.rate >= 0.2:
            share = f"{100 * self.rate:.2g} in 100"
        else:
            share = f"1 in {float(f'{1 / self.rate:.2g}'):,.0f}"
        return {"": share, "at most": f"fewer than {share}", "at least": f"more than {share}"}[self.bound]


def match_rate(thresholds: Sequence[Threshold], score: float) -> MatchRate | None:
    """The false-match rate at a score, with log FAR interpolated linearly between thresholds.

    Args:
        thresholds: of one score, flip rule and population, from `Card.thresholds_of`.
        score: a score of the same kind.

    Returns:
        None if there are no thresholds. Outside their range, the rate of the nearest as a bound.
    """
    if not thresholds:
        return None
    points = sorted(thresholds, key=lambda one: one.value)
    for one in points:
        if one.value == score:
            return MatchRate(one.far, "", one.calibrated_on)
    below = [one for one in points if one.value < score]
    above = [one for one in points if one.value > score]
    if not below:
        return MatchRate(above[0].far, "at least", above[0].calibrated_on)
    if not above:
        return MatchRate(below[-1].far, "at most", below[-1].calibrated_on)
    left, right = below[-1], above[0]
    share = (score - left.value) / (right.value - left.value)
    rate = math.exp((1 - share) * math.log(left.far) + share * math.log(right.far))
    return MatchRate(min(left.far, max(right.far, rate)), "", left.calibrated_on)  # rounding may exceed the range


def match_rates(
    card: Card, threshold: float, score: str = "cosine", flip: str | None = None
) -> dict[str, MatchRate | None]:
    """False-match rate of one comparison for each population; None if the card has no thresholds for it.

    Args:
        card: card of the model.
        threshold: the decision threshold.
        score: the kind of score.
        flip: flip rule of the embeddings; None is the card's.
    """
    return {name: match_rate(card.thresholds_of(score, flip, name), threshold) for name in POPULATIONS}


def rates_in_words(rates: Mapping[str, MatchRate | None]) -> str:
    """Such as ``1 in 1,000 among people at random, 1 in 140 among people who are alike``."""
    return ", ".join(
        f"{rate.in_words} among {POPULATIONS[name]}" if rate else f"not measured among {POPULATIONS[name]}"
        for name, rate in ((name, rates.get(name)) for name in POPULATIONS)
    )
