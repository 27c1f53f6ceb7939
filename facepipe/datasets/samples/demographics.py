"""Sex, origin and age band of a face from its image's metadata, for training and calibration."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

BANDS = (0, 4, 20, 61)
"""Ages, in years, at which a band starts."""

ADULT = 20
"""The band of adults: 20 to 60 years."""

_SEXES = {"f": "f", "female": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}


class Demographics(NamedTuple):
    """The demographics of a face.

    Attributes:
        source: the set of images; sets are never grouped together, since their labels may mean different things.
        origin: in lower case; empty if unknown.
        sex: ``f`` or ``m``.
        band: the first year of the age band.
    """

    source: str
    origin: str
    sex: str
    band: int


def age_of(about: Mapping[str, Any]) -> float:
    """The age in years from an image's metadata; NaN if unknown."""
    age = about.get("age")
    return float(age) if isinstance(age, int | float) and not isinstance(age, bool) else float("nan")


def image_source(about: Mapping[str, Any]) -> str:
    """The set that an image comes from; empty if unknown."""
    return str(about.get("source", "") or "")


def demographics_of(about: Mapping[str, Any]) -> Demographics | None:
    """The demographics of an image; None if age or sex is unknown.

    Args:
        about: metadata of the image: ``age`` in years, ``sex`` (f or m), ``origin``, ``source``.
    """
    sex, age = _SEXES.get(str(about.get("sex", "")).lower(), ""), age_of(about)
    if not sex or not age >= 0:
        return None
    origin = str(about.get("origin", "") or "").lower()
    return Demographics(image_source(about), origin, sex, BANDS[bisect_right(BANDS, age) - 1])
