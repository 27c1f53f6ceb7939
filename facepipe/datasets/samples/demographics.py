"""Sex, origin and age band of a face, as they stand beside its image: one definition for training and calibration."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

BANDS = (0, 4, 20, 61)
"""Ages, in years, at which a band begins."""

ADULT = 20
"""The band of adults: 20 to 60 years."""

_SEXES = {"f": "f", "female": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}


class Demographics(NamedTuple):
    """Of one face.

    Attributes:
        source: the set of images; labels of two sets are never one group, for they may mean different things.
        origin: in lower case; empty where none is written.
        sex: ``f`` or ``m``.
        band: the first year of the age band.
    """

    source: str
    origin: str
    sex: str
    band: int


def age_of(about: Mapping[str, Any]) -> float:
    """The age in years that stands beside an image; NaN where there is none."""
    age = about.get("age")
    return float(age) if isinstance(age, int | float) and not isinstance(age, bool) else float("nan")


def image_source(about: Mapping[str, Any]) -> str:
    """The set that an image comes from; empty where none is named."""
    return str(about.get("source", "") or "")


def demographics_of(about: Mapping[str, Any]) -> Demographics | None:
    """Who is on an image; None where age or sex is not known.

    Args:
        about: what stands beside the image: ``age`` in years, ``sex`` (f or m), ``origin``, ``source``.
    """
    sex, age = _SEXES.get(str(about.get("sex", "")).lower(), ""), age_of(about)
    if not sex or not age >= 0:
        return None
    origin = str(about.get("origin", "") or "").lower()
    return Demographics(image_source(about), origin, sex, BANDS[bisect_right(BANDS, age) - 1])
