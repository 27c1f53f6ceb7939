"""Comparing names, which may be in different Unicode normalisation forms.

macOS returns folder names decomposed (NFD), keyboards type them composed (NFC); both are the same name.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


def canonical(name: str) -> str:
    """The name in NFC, in which names are stored and compared."""
    return unicodedata.normalize("NFC", name)


def same_name(first: str, second: str) -> bool:
    """Whether two names are the same, regardless of Unicode form."""
    return canonical(first) == canonical(second)


@dataclass(frozen=True)
class Matches:
    """The result of searching for a list of wanted names among the available ones.

    Attributes:
        found: wanted name → the available names that are the same, as they are written.
        unmatched: wanted names that match nothing.
        other_form: wanted names that were found only in another Unicode form.
    """

    found: dict[str, tuple[str, ...]]
    unmatched: tuple[str, ...]
    other_form: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """All available names that were found, as they are written."""
        return frozenset(name for names in self.found.values() for name in names)


def match_names(wanted: Iterable[str], available: Iterable[str]) -> Matches:
    """Find each wanted name among the available ones, regardless of Unicode form."""
    by_canonical: dict[str, list[str]] = {}
    for name in dict.fromkeys(available):
        by_canonical.setdefault(canonical(name), []).append(name)
    distinct = list(dict.fromkeys(wanted))
    found = {name: tuple(by_canonical[canonical(name)]) for name in distinct if canonical(name) in by_canonical}
    return Matches(
        found,
        tuple(name for name in distinct if name not in found),
        tuple(name for name, names in found.items() if name not in names),
    )
