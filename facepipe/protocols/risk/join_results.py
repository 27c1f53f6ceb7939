"""Confidences of heads that were put on one backbone, each measured by itself, in one table."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from facepipe.embedding.making import Making, mixed
from facepipe.errors import DatasetError
from facepipe.protocols.risk.error_reject import ErrorReject
from facepipe.protocols.risk.risk_controlled import IDEAL, RiskResult
from facepipe.protocols.risk.uncertainty import CONFIDENCES

_SAME = {
    "damage": "other damage",
    "data": "another list of pairs",
    "score": "another score",
    "fmr": "another false-match rate",
}
Value = TypeVar("Value")
_CLOSE = 1e-3  # embeddings in bfloat16 and in float32 are still those of one backbone


def add_confidences(ours: RiskResult, other: RiskResult, where: Path) -> RiskResult:
    """``ours`` with the confidences of another model, over the same pairs with the same scores.

    A confidence that both have is one where the curves are equal, as those of the norm are; otherwise that of the
    other model is called ``NAME of MODEL``.

    Args:
        ours, other: of `evaluate_risk`, with ``damage`` among the settings.
        where: the file that ``other`` was read from, for the error.

    Raises:
        DatasetError: of other pairs, damage, score, rate or backbone.
    """
    for name, what in _SAME.items():
        if other.settings.get(name) != ours.settings.get(name):
            raise DatasetError(f"{where}: made with {what}, so it cannot be put beside this one; make it again")
    ideal, theirs = ours.curves[IDEAL], other.curves[IDEAL]
    if not all(math.isclose(a, b, abs_tol=_CLOSE) for a, b in zip(_scores(ideal), _scores(theirs), strict=True)):
        raise DatasetError(
            f"{where}: {other.settings.get('model')} scores the pairs differently; only heads on one backbone can be "
            "compared so"
        )
    names = _names(ours, other)
    remark = mixed(*(Making.recorded(result.settings) for result in (ours, other)))
    return replace(
        ours,
        table=_joined(ours.table, other.table, names),
        curves=_joined(ours.curves, other.curves, names),
        relative_area=_joined(ours.relative_area, other.relative_area, names),
        settings=ours.settings | {"beside": [*ours.settings.get("beside", []), other.settings["model"]]}
        | ({"remark": remark} if remark else {}),
    )


def _scores(curve: ErrorReject) -> tuple[float, float]:
    return curve.threshold, curve.fnmr[0]


def _names(ours: RiskResult, other: RiskResult) -> dict[str, str]:
    """What those of the other's confidences that are new are called."""
    curves, identity = ours.curves, str(other.settings["model"])
    names = {}
    for name, curve in other.curves.items():
        if name not in curves:
            names[name] = name
        elif name != IDEAL and curves[name].fnmr != curve.fnmr:
            called = f"{name} of {identity.partition('@')[0]}"
            names[name] = f"{name} of {identity}" if called in curves else called
    return names


def _joined(mine: dict[str, Value], theirs: dict[str, Value], names: dict[str, str]) -> dict[str, Value]:
    both = mine | {called: theirs[name] for name, called in names.items() if name in theirs}
    order = [*CONFIDENCES, IDEAL]
    return {name: both[name] for name in sorted(both, key=lambda name: order.index(name.partition(" ")[0]))}
