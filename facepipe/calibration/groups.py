"""Groups of similar people: adults of one sex, origin and age band."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from facepipe.datasets.samples.demographics import ADULT, BANDS, demographics_of

_OLD = BANDS[BANDS.index(ADULT) + 1] - 1
GROUP = f"adults of one sex and origin, {ADULT} to {_OLD} years old"

_WORDS = {"f": "women", "m": "men"}


def group_of(about: Mapping[str, Any]) -> str:
    """The group of a face, such as ``indian women (utk)``; empty for children, the elderly, and faces of unknown sex.

    Faces from different sources are never in one group: their origin labels may mean different things, and without
    labels it is unknown how similar people from two sources are.

    Args:
        about: the image's metadata, see `facepipe.datasets.samples.demographics`.
    """
    known = demographics_of(about)
    if known is None or known.band != ADULT:
        return ""
    return f"{known.origin} {_WORDS[known.sex]}".strip() + (f" ({known.source})" if known.source else "")


def alike_pairs(group: np.ndarray, person: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All pairs of different people within each group: its name → (left, right) rows, int64.

    Args:
        group: N names; an empty name means no group.
        person: int64 N, identity numbers.
    """
    pairs = {}
    for name in sorted(set(group) - {""}):
        rows = np.flatnonzero(group == name)
        left, right = (rows[side] for side in np.triu_indices(len(rows), 1))
        different = person[left] != person[right]
        pairs[str(name)] = left[different], right[different]
    return pairs
