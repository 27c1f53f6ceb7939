"""Joining results of several heads on one backbone, measured separately, into one table."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from facepipe.embedding.provenance import Provenance, mixing_remark
from facepipe.errors import DatasetError
from facepipe.protocols.risk.error_reject import ErrorReject
from facepipe.protocols.risk.risk_controlled import IDEAL, JOINED_MODELS, RiskResult, joined_models
from facepipe.protocols.risk.uncertainty import CONFIDENCES

_SAME = {
    "damage": "different damage",
    "data": "a different list of pairs",
    "score": "a different score",
    "fmr": "a different false-match rate",
}
Value = TypeVar("Value")
_CLOSE = 1e-3  # tolerates bfloat16 against float32 embeddings of one backbone


def add_confidences(first: RiskResult, other: RiskResult, where: Path) -> RiskResult:
    """``first`` with the confidences of another model, over the same pairs with the same scores.

    A confidence that both have is kept once if the curves are equal, as for the norm; otherwise the other model's is
    named ``NAME of MODEL``.

    Args:
        first, other: from `evaluate_risk`, with ``damage`` in the settings.
        where: the file that ``other`` was read from, for the error.

    Raises:
        DatasetError: pairs, damage, score, rate or backbone differ.
    """
    for name, what in _SAME.items():
        if other.settings.get(name) != first.settings.get(name):
            raise DatasetError(f"{where}: made with {what}, so it cannot be joined with this result; make it again")
    ideal, other_ideal = first.curves[IDEAL], other.curves[IDEAL]
    if not all(math.isclose(a, b, abs_tol=_CLOSE) for a, b in zip(_scores(ideal), _scores(other_ideal), strict=True)):
        raise DatasetError(
            f"{where}: {other.settings.get('model')} scores the pairs differently; only heads on one backbone can be "
            "compared like this"
        )
    names = _names(first, other)
    remark = mixing_remark(*(Provenance.recorded(result.settings) for result in (first, other)))
    return replace(
        first,
        table=_joined(first.table, other.table, names),
        curves=_joined(first.curves, other.curves, names),
        relative_area=_joined(first.relative_area, other.relative_area, names),
        settings=first.settings | {JOINED_MODELS: [*joined_models(first.settings), other.settings["model"]]}
        | ({"remark": remark} if remark else {}),
    )


def _scores(curve: ErrorReject) -> tuple[float, float]:
    return curve.threshold, curve.fnmr[0]


def _names(first: RiskResult, other: RiskResult) -> dict[str, str]:
    """Names for the new confidences of ``other``."""
    curves, identity = first.curves, str(other.settings["model"])
    names = {}
    for name, curve in other.curves.items():
        if name not in curves:
            names[name] = name
        elif name != IDEAL and curves[name].fnmr != curve.fnmr:
            renamed = f"{name} of {identity.partition('@')[0]}"
            names[name] = f"{name} of {identity}" if renamed in curves else renamed
    return names


def _joined(first: dict[str, Value], other: dict[str, Value], names: dict[str, str]) -> dict[str, Value]:
    both = first | {new: other[name] for name, new in names.items() if name in other}
    order = [*CONFIDENCES, IDEAL]
    return {name: both[name] for name in sorted(both, key=lambda name: order.index(name.partition(" ")[0]))}
