"""Mean and standard deviation of figures over splits or trials."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def over_points(
    tables: Sequence[Sequence[Mapping[str, Any]]], rate: str, share: str, ddof: int = 0
) -> list[dict[str, Any]]:
    """Operating points of several trials as one table.

    Args:
        tables: for each trial, points at the same rates, as JSON values with ``reason``.
        rate, share: names of their fields, such as ``far`` and ``tar``.
        ddof: 0 divides the variance by the number of trials, 1 by one less.

    Returns:
        For each rate: ``rate``, mean as ``share``, ``std``, ``trials``, ``reason``. No figure where any trial has
        none.
    """
    return [
        {rate: points[0][rate], **_over([point[share] for point in points], share, ddof), "reason": _reason(points)}
        for points in zip(*tables, strict=True)
    ]


def over_shares(tables: Sequence[Mapping[str, float | None]], ddof: int = 0) -> dict[str, dict[str, Any]]:
    """Named shares of several trials: name → mean as ``share``, ``std`` and ``trials``."""
    return {name: _over([table[name] for table in tables], "share", ddof) for name in tables[0]}


def _over(values: Sequence[float | None], share: str, ddof: int) -> dict[str, Any]:
    known = np.array([value for value in values if value is not None])
    whole = len(known) == len(values)
    return {
        share: float(known.mean()) if whole else None,
        "std": float(known.std(ddof=ddof)) if whole and len(known) > 1 else None,
        "trials": len(values),
    }


def _reason(points: Sequence[Mapping[str, Any]]) -> str:
    silent = [str(point["reason"]) for point in points if point["reason"]]
    return f"{silent[0]} (in {len(silent)} of {len(points)} trials)" if silent else ""
