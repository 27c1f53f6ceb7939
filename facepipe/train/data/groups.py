"""Groups of similar strangers: same source, origin, sex and age band; almost every image shows a different person."""

from collections.abc import Collection

import numpy as np

from facepipe.datasets import Samples
from facepipe.datasets.samples.demographics import demographics_of
from facepipe.losses.strangers import NO_GROUP

SMALLEST = 8
"""Minimum images of a group; smaller groups have too few pairs to be drawn as often as others."""


def stranger_groups(samples: Samples, sources: Collection[str] = ()) -> tuple[np.ndarray, list[str]]:
    """Group of each image, int64 N, ``NO_GROUP`` if it has none, and the names of the groups.

    Images without identity have a group if their metadata give age (years) and sex; without an origin, all images of a
    source count as one origin.

    Args:
        samples: the training samples.
        sources: values of ``source`` in the metadata to use; all if empty.
    """
    named = [_group(samples, int(i), sources) for i in np.flatnonzero(samples.labels < 0)]
    counts: dict[str, int] = {}
    for name in named:
        counts[name] = counts.get(name, 0) + 1
    names = sorted(name for name, count in counts.items() if name and count >= SMALLEST)
    number = {name: index for index, name in enumerate(names)}
    groups = np.full(len(samples), NO_GROUP, np.int64)
    groups[samples.labels < 0] = [number.get(name, NO_GROUP) for name in named]
    return groups, names


def has_age_and_sex(samples: Samples) -> np.ndarray:
    """Which images have both in their metadata, bool N."""
    return np.array([demographics_of(samples.about(index)) is not None for index in range(len(samples))], bool)


def _group(samples: Samples, index: int, sources: Collection[str]) -> str:
    """A name such as ``utk black f 20``; empty if age or sex is unknown."""
    known = demographics_of(samples.about(index))
    if known is None or (sources and known.source not in sources):
        return ""
    return " ".join(str(part) for part in known if part != "")
