"""Comparing names: one person's name may be written in several forms of Unicode.

A Mac hands out folder names decomposed (NFD), keyboards type them composed (NFC); both are the same name.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


def canonical(name: str) -> str:
    """The form in which names are stored and compared: NFC."""
    return unicodedata.normalize("NFC", name)


def same_name(first: str, second: str) -> bool:
    """Whether both are one name."""
    return canonical(first) == canonical(second)


@dataclass(frozen=True)
class Matches:
    """What a list of wanted names found among those that are there.

    Attributes:
        found: wanted name → the names that are the same, as they are written there.
        nobody: wanted names that match nothing.
        other_form: wanted names that were found in another form of Unicode only.
    """

    found: dict[str, tuple[str, ...]]
    nobody: tuple[str, ...]
    other_form: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """All that was found, as it is written there."""
        return frozenset(name for names in self.found.values() for name in names)


def match_names(wanted: Iterable[str], available: Iterable[str]) -> Matches:
    """Find each wanted name among the available ones, whatever form of Unicode either is in."""
    there: dict[str, list[str]] = {}
    for name in dict.fromkeys(available):
        there.setdefault(canonical(name), []).append(name)
    asked = list(dict.fromkeys(wanted))
    found = {name: tuple(there[canonical(name)]) for name in asked if canonical(name) in there}
    return Matches(
        found,
        tuple(name for name in asked if name not in found),
        tuple(name for name, names in found.items() if name not in names),
    )
