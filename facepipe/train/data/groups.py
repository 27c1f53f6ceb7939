"""Groups of strangers who are alike: one source, origin, sex and age band; nearly each image is a person of its own."""

from collections.abc import Collection

import numpy as np

from facepipe.datasets import Samples
from facepipe.datasets.samples.demographics import demographics_of
from facepipe.losses.strangers import NO_GROUP

SMALLEST = 8
"""Images of a group; a smaller one has too few pairs to be drawn as often as the others."""


def stranger_groups(samples: Samples, sources: Collection[str] = ()) -> tuple[np.ndarray, list[str]]:
    """Group of each image, int64 N, ``NO_GROUP`` where it is of none, and what to call the groups.

    Of images without identity, those have a group whose age (years) and sex are written beside them; where no origin
    is written, all of a source count as of one.

    Args:
        samples: what is trained on.
        sources: those that count, as ``source`` beside the image says; all if empty.
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
    """Beside which images both are written, bool N."""
    return np.array([demographics_of(samples.about(index)) is not None for index in range(len(samples))], bool)


def _group(samples: Samples, index: int, sources: Collection[str]) -> str:
    """A name such as ``utk black f 20``; empty where age or sex is not known."""
    known = demographics_of(samples.about(index))
    if known is None or (sources and known.source not in sources):
        return ""
    return " ".join(str(part) for part in known if part != "")
