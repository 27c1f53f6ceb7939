"""Thresholds at stated false-accept rates, among strangers at random and among strangers who are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from facepipe.score.threshold import ascending, threshold_of_ascending
from facepipe.tables import counted
from facepipe.zoo import Flip, Threshold

_LEAST = 3
"""False matches that a group must have at a rate, to be counted there: fewer tell too little."""


class ScoredSet(NamedTuple):
    """Scores of the impostor pairs of one set, float M; ``chances`` is how many pairs of people (not faces) it has."""

    scores: np.ndarray
    chances: int


def random_thresholds(
    genuine: np.ndarray,
    sets: Mapping[str, ScoredSet],
    fars: Sequence[float],
    measured_on: str,
    score: str = "cosine",
    flip: Flip | None = None,
) -> tuple[list[Threshold], list[str]]:
    """Thresholds at the rates that the pairs can tell, and a note on each that they cannot.

    Of several sets the one that asks for the highest threshold decides, so that the rate holds in each. A set counts at
    a rate where three of its pairs of people are expected to pass, one where it is the only set; photos of the same two
    people are no further chances. A rate at which less is asked for than at a looser one is left out.

    Args:
        genuine: float, scores of pairs of one person.
        sets: name → scores of pairs of two people.
        fars: false-accept rates.
        measured_on: what the people are, for the card; the name of the set is put before it.
        score, flip: for the card.
    """
    thresholds: list[Threshold] = []
    notes = []
    least = _LEAST if len(sets) > 1 else 1
    sorted_scores = {name: ascending(one.scores) for name, one in sets.items()}
    for far in sorted(fars, reverse=True):
        values = {
            name: threshold_of_ascending(sorted_scores[name], far)
            for name, one in sets.items()
            if min(one.chances * far + 1e-9, len(one.scores) * far + 1e-9) >= least
        }
        decides = max(values, key=lambda name: values[name]) if values else ""
        if not decides or (thresholds and values[decides] <= thresholds[-1].value):
            notes.append(f"no {score} threshold among people at random at FAR {far:g}: too few pairs of people")
            continue
        strictest = f", the strictest of {len(values)} sets" if len(values) > 1 else ""
        calibrated_on = f"{decides}, {counted(len(sets[decides].scores), 'pair')}{strictest}; {measured_on}"
        thresholds.append(_threshold(far, values[decides], genuine, calibrated_on, score, flip))
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
            notes.append(
                f"no {score} threshold among people who are alike at FAR {far:g}: {_too_few(groups, deciding, far)}"
            )
            continue
        worst = deciding = max(values, key=lambda name: values[name])
        of = f"the worst of {counted(len(values), 'group')}"
        calibrated_on = f"{worst}, {counted(len(groups[worst]), 'pair')}, {of}; {measured_on}"
        thresholds.append(
            replace(_threshold(far, values[worst], genuine, calibrated_on, score, flip), population="alike")
        )
    return thresholds, notes


def _too_few(groups: Mapping[str, np.ndarray], deciding: str, far: float) -> str:
    """Why no group decides: the one that would is too small, or all are."""
    largest = max(groups, key=lambda name: len(groups[name]))
    who = f"{deciding}, the worst so far, has" if deciding else f"{largest}, the largest group, has"
    pairs = counted(len(groups[deciding or largest]), "pair")
    return f"{who} {pairs}, and {_LEAST} false matches take {_LEAST / far:,.0f}"


def _threshold(
    far: float, value: float, genuine: np.ndarray, measured_on: str, score: str, flip: Flip | None
) -> Threshold:
    tar = float((genuine >= value).mean()) if len(genuine) else None
    return Threshold(far=far, value=value, score=score, flip=flip, tar=tar, calibrated_on=measured_on)
