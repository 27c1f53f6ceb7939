"""People who are alike: adults of one sex, origin and age band."""

from collections.abc import Mapping
from typing import Any

import numpy as np

ADULT, OLD = 20, 60
"""The age band, in years, both included."""
GROUP = f"adults of one sex and origin, {ADULT} to {OLD} years old"

_SEXES = {"f": "women", "female": "women", "woman": "women", "m": "men", "male": "men", "man": "men"}


def age_of(about: Mapping[str, Any]) -> float:
    """The age in years that stands beside an image; NaN where there is none."""
    age = about.get("age")
    return float(age) if isinstance(age, int | float) and not isinstance(age, bool) else float("nan")


def group_of(about: Mapping[str, Any]) -> str:
    """The group of a face, such as ``indian women (utk)``; empty for children, the old, and faces of unknown sex.

    Faces of different sources are never one group: their labels of origin may mean different things, and of a source
    without them nobody knows how alike its people are to those of another.

    Args:
        about: what stands beside the image: ``age`` in years, ``sex`` (f or m), ``origin``, ``source``.
    """
    sex = _SEXES.get(str(about.get("sex", "")).lower(), "")
    if not sex or not ADULT <= age_of(about) <= OLD:
        return ""
    origin, source = str(about.get("origin", "") or "").lower(), str(about.get("source", "") or "")
    return f"{origin} {sex}".strip() + (f" ({source})" if source else "")


def alike_pairs(group: np.ndarray, person: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All pairs of different people within each group: its name → (left, right) rows, int64.

    Args:
        group: N names; the empty one is no group.
        person: int64 N, who is who.
    """
    pairs = {}
    for name in sorted(set(group) - {""}):
        rows = np.flatnonzero(group == name)
        left, right = (rows[side] for side in np.triu_indices(len(rows), 1))
        different = person[left] != person[right]
        pairs[str(name)] = left[different], right[different]
    return pairs
