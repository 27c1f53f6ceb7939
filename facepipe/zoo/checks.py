"""Validators for the fields of a card; each function returns a `facepipe.zoo.part.Check`.

Types are strict: 1 is accepted as 1.0, but neither true nor "1" is a number.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from facepipe.zoo.part import Check, FieldError, Part, Problem

P = TypeVar("P", bound=Part)


def number(
    *, above: float = -math.inf, below: float = math.inf, least: float = -math.inf, most: float = math.inf
) -> Check:
    """A finite number, as a float; ``above`` and ``below`` are exclusive bounds, ``least`` and ``most`` inclusive."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("should be a valid number")
        if not math.isfinite(value):
            raise ValueError("should be a finite number")
        _require(value > above, f"greater than {above:g}")
        _require(value < below, f"less than {below:g}")
        _require(value >= least, f"greater than or equal to {least:g}")
        _require(value <= most, f"less than or equal to {most:g}")
        return float(value)

    return check


def positive_integer(value: Any) -> int:
    """1, 2, 3 ..."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("should be a valid integer")
    _require(value > 0, "greater than 0")
    return value


def text(pattern: str = "") -> Check:
    """A string; with a pattern, one that fully matches it."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("should be a valid string")
        if pattern and not re.fullmatch(pattern, value):
            raise ValueError(f"should match {pattern}")
        return value

    return check


def one_of(*names: str) -> Check:
    """One of these strings."""

    def check(value: Any) -> str:
        if value not in names or not isinstance(value, str):
            *others, last = map(repr, names)
            raise ValueError(f"should be {', '.join(others)} or {last}")
        return value

    return check


def optional(check: Check) -> Check:
    """None, or a value accepted by ``check``."""
    return lambda value: None if value is None else check(value)


def several(check: Check, count: int | None = None) -> Check:
    """A list or tuple, as a tuple, of ``count`` values (None: any number) accepted by ``check``."""

    def checked(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list | tuple):
            raise ValueError("should be a list")
        if count is not None and len(values) > count:
            raise ValueError(f"should have {count} entries")
        accepted, problems = [], []
        for index, value in enumerate(values):
            try:
                accepted.append(check(value))
            except FieldError as error:
                problems += [problem.below(index) for problem in error.problems]
            except ValueError as error:
                problems.append(Problem((index,), "value", str(error), value))
        problems += [Problem((index,), "missing") for index in range(len(values), count or 0)]
        if problems:
            raise FieldError(problems)
        return tuple(accepted)

    return checked


def part(kind: type[P]) -> Check:
    """A part of this kind, or a table of its fields."""
    return lambda value: value if isinstance(value, kind) else kind.of(value)


def options(value: Any) -> dict[str, bool | int | float | str]:
    """A table of booleans, numbers and strings."""
    if not isinstance(value, Mapping):
        raise ValueError("should be a table")
    wrong = [
        Problem((str(name),), "value", "should be true, false, a number or a string", one)
        for name, one in value.items()
        if not isinstance(one, bool | int | float | str)
    ]
    if wrong:
        raise FieldError(wrong)
    return dict(value)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"should be {what}")
