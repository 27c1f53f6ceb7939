"""How the command line asks for a parameter of a protocol's function, which is ``Annotated[TYPE, Option(...)]``."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

from facepipe.errors import DatasetError
from facepipe.nearest import did_you_mean
from facepipe.parameters import parameter

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Option:
    """An option of the parameter's name and type; without a default it is required.

    Parameters that several protocols have need none: ``rule``, ``score``, ``on_miss``, ``fars``, ``damage``, ``pool``,
    ``form``, ``recipe`` and ``source`` have the options that are usual for these names.

    Attributes:
        help: what it is.
        choices: what it may be.
        least: of an integer.
        flag: its name, where that is not the parameter's.
        argument: it is the first argument, and called so in the help.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    flag: str = ""
    argument: str = ""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """A protocol's function, refusing what is none of an option's choices before any work, in Python too.

    Raises:
        DatasetError: names the parameter and the nearest choice.
    """
    signature = inspect.signature(function)
    choices = {
        name: said.choices
        for name, each in signature.parameters.items()
        if (said := option_of(each.annotation)) is not None and said.choices
    }

    @wraps(function)
    def wrapped(*args: P.args, **words: P.kwargs) -> R:
        for name, value in signature.bind(*args, **words).arguments.items():
            if name in choices and value not in choices[name]:
                raise DatasetError(f"{parameter(name, value)}: {did_you_mean(str(value), choices[name])}")
        return function(*args, **words)

    return wrapped


def option_of(hint: Any) -> Option | None:
    """What an annotation says of the parameter's option."""
    if get_origin(hint) is not Annotated:
        return None
    return next((one for one in get_args(hint)[1:] if isinstance(one, Option)), None)
