"""Command-line options of a protocol's parameters, which are annotated ``Annotated[TYPE, Option(...)]``."""

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
    """An option with the parameter's name and type; required if the parameter has no default.

    Parameters shared by several protocols need no annotation: ``rule``, ``score``, ``on_miss``, ``fars``, ``damage``,
    ``pool``, ``form``, ``recipe`` and ``source`` have standard options.

    Attributes:
        help: help text.
        choices: allowed values.
        least: minimum of an integer.
        flag: option name, if different from the parameter's.
        argument: metavar, if this is the first positional argument.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    flag: str = ""
    argument: str = ""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for a protocol's function that checks arguments against their options' choices before any work.

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
    """The option in an annotation, if any."""
    if get_origin(hint) is not Annotated:
        return None
    return next((one for one in get_args(hint)[1:] if isinstance(one, Option)), None)
