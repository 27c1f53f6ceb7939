"""The known name that a person most likely meant by an unknown one."""

import difflib
from collections.abc import Iterable

_LEAST = 0.5
_BEGINNING = 4  # letters of a common beginning that count
_BONUS = 0.1  # for each of them, of what is missing to 1


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name most like ``word``, or None where none is.

    Likeness is difflib's ratio with Winkler's bonus for a common beginning (Winkler 1990, with scale 0.1 and at
    most four letters), since people rarely mistake how a name begins. Upper and lower case are the same.
    """
    likeness = {name: _likeness(word.lower(), name.lower()) for name in known}
    best = max(likeness, key=likeness.__getitem__, default=None)
    return None if best is None or likeness[best] < _LEAST else best


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "choose one of") -> str:
    """The end of a message about an unknown ``word``: ``did you mean 'name'?``, or all names after ``otherwise``."""
    names = list(known)
    name = nearest(word, names)
    return f"{otherwise} {', '.join(names)}" if name is None else f"did you mean {name!r}?"


def _likeness(word: str, name: str) -> float:
    ratio = difflib.SequenceMatcher(None, word, name).ratio()
    common = 0
    for a, b in zip(word[:_BEGINNING], name, strict=False):
        if a != b:
            break
        common += 1
    return ratio + _BONUS * common * (1 - ratio)
