"""Thresholds at stated false-accept rates, for random impostors and for similar impostors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from facepipe.score.threshold import ascending, threshold_of_ascending
from facepipe.tables import counted
from facepipe.zoo import Flip, Threshold

_LEAST = 3
"""False matches that a group needs at a rate to be counted there."""


class ScoredSet(NamedTuple):
    """Scores of the impostor pairs of one set, float M; ``chances`` is its number of pairs of people (not faces)."""

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
    """Thresholds at the rates that the pairs can measure, and a note on each other rate.

    The set with the highest threshold decides, so that the rate holds in each. A set counts at a rate if three of its
    pairs of people are expected to pass, or one if it is the only set; several photos of the same two people count
    once. A rate whose threshold would be lower than that of a looser rate is omitted.

    Args:
        genuine: float, scores of genuine pairs.
        sets: name → scores of impostor pairs.
        fars: false-accept rates.
        measured_on: description of the people, for the card; the set's name is prepended.
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
    """Like `random_thresholds`, for the worst of several groups: the one with the highest threshold.

    A group counts at a rate if its pairs give three or more expected false matches. A rate at which the group that
    decided at the next looser rate does not count is omitted with a note, and so are all stricter ones.

    Args:
        genuine: float, scores of genuine pairs.
        groups: name → float, scores of impostor pairs within the group.
        fars: false-accept rates.
        measured_on: description of the people, for the card; the worst group's name is prepended.
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
    """Why no group decides: the deciding group, or every group, is too small."""
    largest = max(groups, key=lambda name: len(groups[name]))
    who = f"{deciding}, the worst so far, has" if deciding else f"{largest}, the largest group, has"
    pairs = counted(len(groups[deciding or largest]), "pair")
    return f"{who} {pairs}, and {_LEAST} false matches need {_LEAST / far:,.0f}"


def _threshold(
    far: float, value: float, genuine: np.ndarray, measured_on: str, score: str, flip: Flip | None
) -> Threshold:
    tar = float((genuine >= value).mean()) if len(genuine) else None
    return Threshold(far=far, value=value, score=score, flip=flip, tar=tar, calibrated_on=measured_on)
