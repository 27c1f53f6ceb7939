"""Figures in words and tables, as plain values: whoever shows them decides where and how wide."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its head; may be empty.
        right: its cells end at the right, as figures do.
        prose: its cells may be broken between words where the screen is narrow.
        lesser: where the screen is too narrow, columns are left out, those of the highest number first; those of 0
            never. What was left out is told on stderr.
    """

    title: str
    right: bool = False
    prose: bool = False
    lesser: int = 0


def figures(*titles: str) -> tuple[Column, ...]:
    """Columns of figures."""
    return tuple(Column(title, right=True) for title in titles)


@dataclass(frozen=True)
class Table:
    """Rows of cells below a title, and rows below a rule, such as sums."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    footer: Sequence[Sequence[object]] = ()


@dataclass(frozen=True)
class TextLine:
    """A line of figures."""

    text: str


@dataclass(frozen=True)
class Note:
    """A line about the figures; with ``warning`` one that should not be missed."""

    text: str
    warning: bool = False


Summary = Table | TextLine | Note
"""A part of what a result says to people."""

_IRREGULAR = {"person": "people", "matrix": "matrices"}
_BEFORE_PREPOSITION = re.compile(r"(.+?)( (?:of|that|without|reached|with|in) .*)")


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as ``1 photo``, ``1,200 photos without a face`` for ``photo without a face``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """More than one of it; of a phrase the noun before its first preposition."""
    found = _BEFORE_PREPOSITION.fullmatch(noun)
    if found:
        return plural(found[1]) + found[2]
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
