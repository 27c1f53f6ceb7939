"""Groups of strangers who are alike: one source, origin, sex and age band; nearly each image is a person of its own."""

from bisect import bisect_right
from collections.abc import Collection

import numpy as np

from facepipe.datasets import Samples
from facepipe.losses.strangers import NO_GROUP

BANDS = (4, 20, 61)
"""Ages, in years, at which a band begins; the first is below. Adults up to 60 are one, as when they are counted."""

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
    return np.array([bool(_group(samples, index, ())) for index in range(len(samples))], bool)


def _group(samples: Samples, index: int, sources: Collection[str]) -> str:
    """A name such as ``utk black f 20``; empty where age or sex is not known."""
    about = samples.about(index)
    age, sex, source = about.get("age"), about.get("sex"), str(about.get("source", ""))
    if not isinstance(age, int | float) or not sex or (sources and source not in sources):
        return ""
    band = (0, *BANDS)[bisect_right(BANDS, age)]
    return " ".join(str(part) for part in (source, about.get("origin", ""), sex, band) if part != "")
