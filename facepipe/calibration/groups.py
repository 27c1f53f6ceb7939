"""People who are alike: adults of one sex, origin and age band."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from facepipe.datasets.samples.demographics import ADULT, BANDS, demographics_of

_OLD = BANDS[BANDS.index(ADULT) + 1] - 1
GROUP = f"adults of one sex and origin, {ADULT} to {_OLD} years old"

_WORDS = {"f": "women", "m": "men"}


def group_of(about: Mapping[str, Any]) -> str:
    """The group of a face, such as ``indian women (utk)``; empty for children, the old, and faces of unknown sex.

    Faces of different sources are never one group: their labels of origin may mean different things, and of a source
    without them nobody knows how alike its people are to those of another.

    Args:
        about: what stands beside the image, see `facepipe.datasets.samples.demographics`.
    """
    known = demographics_of(about)
    if known is None or known.band != ADULT:
        return ""
    return f"{known.origin} {_WORDS[known.sex]}".strip() + (f" ({known.source})" if known.source else "")


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
