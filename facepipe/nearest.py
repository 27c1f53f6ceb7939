"""The known name that a person most likely meant by an unknown one."""

import difflib
from collections.abc import Iterable

_LEAST = 0.5
_PREFIX = 4  # maximum length of a common prefix that counts
_BONUS = 0.1  # per letter, as a fraction of the distance to 1


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name most like ``word``, or None if none is similar enough.

    Similarity is difflib's ratio with Winkler's bonus for a common prefix (Winkler 1990, with scale 0.1 and at
    most four letters), since people rarely mistype the start of a name. Case is ignored.
    """
    similarity = {name: _similarity(word.lower(), name.lower()) for name in known}
    best = max(similarity, key=similarity.__getitem__, default=None)
    return None if best is None or similarity[best] < _LEAST else best


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "choose one of") -> str:
    """The end of a message about an unknown ``word``: ``did you mean 'name'?``, or all names after ``otherwise``."""
    names = list(known)
    name = nearest(word, names)
    return f"{otherwise} {', '.join(names)}" if name is None else f"did you mean {name!r}?"


def _similarity(word: str, name: str) -> float:
    ratio = difflib.SequenceMatcher(None, word, name).ratio()
    common = 0
    for a, b in zip(word[:_PREFIX], name, strict=False):
        if a != b:
            break
        common += 1
    return ratio + _BONUS * common * (1 - ratio)
