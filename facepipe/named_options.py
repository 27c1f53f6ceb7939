"""Options of things that are made by name: read off the function that makes them, and checked before it is called."""

import difflib
import inspect
import math
from collections.abc import Callable
from typing import Any

from facepipe.errors import ModelError


def options_of(build: Callable[..., Any], sizes: int) -> dict[str, Any]:
    """Name → default of the parameters of ``build`` after its first ``sizes`` ones."""
    parameters = list(inspect.signature(build).parameters.values())[sizes:]
    return {parameter.name: parameter.default for parameter in parameters}


def check_options(what: str, given: dict[str, Any], known: dict[str, Any]) -> None:
    """Refuse options that ``known`` has not, and values of another kind than its defaults.

    Args:
        what: whose options they are, for the message.
        given: name → value; may come from a TOML file, where 1 may stand for 1.0.
        known: name → default, true or false or a number.

    Raises:
        ModelError: names the option, and the nearest known one or what its value should be.
    """
    for option, value in given.items():
        if option not in known:
            raise ModelError(f"{what} has no option {option!r}{nearest(option, list(known))}")
        default = known[option]
        fits = isinstance(value, bool) if isinstance(default, bool) else type(value) in (int, type(default))
        if not fits or not math.isfinite(value):
            wanted = "true or false" if isinstance(default, bool) else f"a number such as {default}"
            raise ModelError(f"{what}: option {option} must be {wanted}, got {value!r}")


def nearest(word: str, known: list[str]) -> str:
    """The end of a message about an unknown ``word``: the known one most like it, or all that there are."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose one of {', '.join(known)}" if known else "; it takes none"
