"""Results as tables and lines of text, as plain values that do not depend on where and how wide they are displayed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: the heading; may be empty.
        right: right-aligned, as for figures.
        prose: cells may wrap between words on a narrow screen.
        lesser: on a narrow screen, columns with the highest number are dropped first, those with 0
            never. Dropped columns are reported on stderr.
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
    """A titled table; ``footer`` rows, such as sums, follow a rule."""

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
    """A remark on the figures; with ``warning`` an important one."""

    text: str
    warning: bool = False


Summary = Table | TextLine | Note
"""A part of a result's human-readable summary."""

_IRREGULAR = {"person": "people", "matrix": "matrices"}
_BEFORE_PREPOSITION = re.compile(r"(.+?)( (?:of|that|without|reached|with|in) .*)")


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as ``1 photo``, ``1,200 photos without a face`` for ``photo without a face``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun; in a phrase, of the words before the first preposition."""
    found = _BEFORE_PREPOSITION.fullmatch(noun)
    if found:
        return plural(found[1]) + found[2]
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
