"""Parts of a card: frozen dataclasses that validate their fields by their annotations.

Used instead of pydantic, whose import takes longer than comparing two photos.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, Self

from facepipe.errors import ModelError
from facepipe.nearest import did_you_mean

Check = Callable[[Any], Any]
"""The given value → the value to store.

Raises:
    ValueError: the value is invalid; says what it should be, such as "should be a valid number".
"""


@dataclass(frozen=True)
class Problem:
    """A problem with a field.

    Attributes:
        place: names of fields and 0-based indices in lists, from the outermost; empty for a part as a whole.
        kind: the field is unknown or missing, or its value is invalid.
        text: for an unknown field, a suggestion; for a value, what it should be.
        value: the invalid value.
    """

    place: tuple[str | int, ...]
    kind: Literal["unknown", "missing", "value"]
    text: str = ""
    value: Any = None

    def below(self, *outer: str | int) -> "Problem":
        """The same problem, located from the enclosing part."""
        return Problem((*outer, *self.place), self.kind, self.text, self.value)

    def __str__(self) -> str:
        field = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")
        if self.kind == "unknown":
            return f"unknown field {field}; {self.text}"
        if self.kind == "missing":
            return f"field {field} is missing"
        return f"field {field} {self.text}, got {self.value!r}" if field else self.text


class FieldError(ModelError, ValueError):
    """Fields of a part are invalid; the message describes one of them and gives the number of others.

    Args:
        problems: all of them, at least one.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        # An unknown field is often a misspelt missing one, and the more useful message.
        first, more = min(problems, key=lambda problem: problem.kind != "unknown"), len(problems) - 1
        super().__init__(f"{first}" + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""))


@dataclass(frozen=True, kw_only=True)
class Part:
    """Base class; fields are annotated ``Annotated[type, check]``, see `Check` and `facepipe.zoo.checks`.

    Raises:
        FieldError: a value is invalid, or the fields are inconsistent.
    """

    def __post_init__(self) -> None:
        kept, problems = _checked(type(self), vars(self))
        for name, value in kept.items():
            object.__setattr__(self, name, value)
        if not problems:
            try:
                self._check_consistency()
            except ValueError as error:
                problems.append(Problem((), "value", str(error), self.to_dict()))
        if problems:
            raise FieldError(problems)

    def _check_consistency(self) -> None:
        """Raise ValueError if individually valid fields are inconsistent."""

    @classmethod
    def of(cls, values: Any) -> Self:
        """Create from plain values, as in TOML and JSON; lists become tuples, tables other parts.

        Raises:
            FieldError: as for the class, or a field is unknown or missing.
        """
        if not isinstance(values, Mapping):
            raise ValueError("should be a table")
        known = {field.name: field for field in fields(cls)}
        problems = [
            Problem((name,), "unknown", did_you_mean(str(name), known, "the fields here are"))
            for name in values
            if name not in known
        ]
        problems += [
            Problem((name,), "missing") for name, field in known.items() if name not in values and _is_required(field)
        ]
        if problems:
            raise FieldError(problems + _checked(cls, values)[1])
        return cls(**values)

    def to_dict(self, defaults: bool = True) -> dict[str, Any]:
        """Plain values, parts as tables.

        Args:
            defaults: include fields with default values.
        """
        kept = ((field, getattr(self, field.name)) for field in fields(self))
        return {
            field.name: _plain(value, defaults) for field, value in kept if defaults or value != _default_of(field)
        }


def _checked(cls: type[Part], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The accepted values of known fields, and the problems of others."""
    kept, problems = {}, []
    for name, check in _checks(cls).items():
        if name not in values:
            continue
        try:
            kept[name] = check(values[name])
        except FieldError as error:
            # A problem of a part as a whole is reported with its place, not with its contents.
            problems += [problem.below(name) for problem in error.problems]
        except ValueError as error:
            problems.append(Problem((name,), "value", str(error), values[name]))
    return kept, problems


_CHECKS: dict[type[Part], dict[str, Check]] = {}


def _checks(cls: type[Part]) -> dict[str, Check]:
    if cls not in _CHECKS:
        annotations: dict[str, Any] = {field.name: field.type for field in fields(cls)}
        _CHECKS[cls] = {name: annotation.__metadata__[0] for name, annotation in annotations.items()}
    return _CHECKS[cls]


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default_of(field: "Field[Any]") -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(value: Any, defaults: bool) -> Any:
    if isinstance(value, Part):
        return value.to_dict(defaults)
    if isinstance(value, dict):
        return dict(value)
    return tuple(_plain(one, defaults) for one in value) if isinstance(value, tuple) else value
