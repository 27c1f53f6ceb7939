"""Thresholds at stated false-accept rates, among strangers at random and among strangers who are alike."""

from collections.abc import Mapping, Sequence

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.score import threshold_at_far
from facepipe.score.threshold import ascending, threshold_of_ascending
from facepipe.zoo import Flip, Threshold

_LEAST = 3
"""False matches that a group must have at a rate, to be counted there: fewer tell too little."""


def random_thresholds(
    genuine: np.ndarray,
    impostor: np.ndarray,
    fars: Sequence[float],
    measured_on: str,
    score: str = "cosine",
    flip: Flip | None = None,
) -> tuple[list[Threshold], list[str]]:
    """Thresholds at the rates that the pairs can tell, and a note on each that they cannot.

    Args:
        genuine, impostor: float, scores of pairs of one person and of two.
        fars: false-accept rates.
        measured_on: what the pairs are, for the card.
        score, flip: for the card.
    """
    thresholds, notes = [], []
    for far in fars:
        try:
            value = threshold_at_far(impostor, far)
        except FacepipeError as error:
            notes.append(f"no {score} threshold among people at random: {error}")
            continue
        thresholds.append(_threshold(far, value, genuine, measured_on, score, flip))
    return thresholds, notes


def alike_thresholds(
    genuine: np.ndarray,
    groups: Mapping[str, np.ndarray],
    fars: Sequence[float],
    measured_on: str,
    score: str = "cosine",
    flip: Flip | None = None,
) -> tuple[list[Threshold], list[str]]:
    """As `random_thresholds`, for the worst of several groups: the one that asks for the highest threshold.

    A group counts at a rate where its pairs make three false matches or more. A rate at which the group that decided at
    the looser rate before does not count is left out, with a note, and so are all stricter ones.

    Args:
        genuine: float, scores of pairs of one person.
        groups: name → float, scores of pairs of two people of the group.
        fars: false-accept rates.
        measured_on: what the people are, for the card; the name of the worst group is put before it.
        score, flip: for the card.
    """
    thresholds: list[Threshold] = []
    notes = []
    deciding = ""
    sorted_scores = {name: ascending(scores) for name, scores in groups.items()}
    for far in sorted(fars, reverse=True):
        values = {
            name: threshold_of_ascending(scores, far)
            for name, scores in sorted_scores.items()
            if len(scores) * far >= _LEAST
        }
        if not values or (deciding and deciding not in values):
            notes.append(f"no {score} threshold among people who are alike at FAR {far:g}: too few pairs of the worst")
            continue
        worst = deciding = max(values, key=lambda name: values[name])
        told = f"{worst}, {len(groups[worst]):,} pairs, the worst of {len(values)} groups; {measured_on}"
        thresholds.append(
            _threshold(far, values[worst], genuine, told, score, flip).model_copy(update={"population": "alike"})
        )
    return thresholds, notes


def _threshold(
    far: float, value: float, genuine: np.ndarray, measured_on: str, score: str, flip: Flip | None
) -> Threshold:
    tar = float((genuine >= value).mean()) if len(genuine) else None
    return Threshold(far=far, value=value, score=score, flip=flip, tar=tar, calibrated_on=measured_on)
