"""Parts of a card: frozen dataclasses whose annotations say what each field may hold, checked whenever one is made.

In place of pydantic, which takes longer to import than two photos take to compare.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, Self

from facepipe.errors import ModelError
from facepipe.nearest import did_you_mean

Check = Callable[[Any], Any]
"""A value as it was given → as it is kept.

Raises:
    ValueError: it may not stand there; what the value should be, as "should be a valid number".
"""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field.

    Attributes:
        place: names of fields and, from 0, places in lists, from the outermost; empty for a part as a whole.
        kind: the field is unknown, or missing, or has a value that may not stand there.
        text: of an unknown field, what may have been meant; of a value, what it should be.
        value: what it is.
    """

    place: tuple[str | int, ...]
    kind: Literal["unknown", "missing", "value"]
    text: str = ""
    value: Any = None

    def below(self, *outer: str | int) -> "Problem":
        """The same as seen from the part around."""
        return Problem((*outer, *self.place), self.kind, self.text, self.value)

    def __str__(self) -> str:
        field = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")
        if self.kind == "unknown":
            return f"unknown field {field}; {self.text}"
        if self.kind == "missing":
            return f"field {field} is missing"
        return f"field {field} {self.text}, got {self.value!r}" if field else self.text


class FieldError(ModelError, ValueError):
    """Fields of a part are wrong; the text tells of one in one line, and how many more there are.

    Args:
        problems: all of them, at least one.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        # An unknown field is often the misspelt missing one, and the more useful to hear of.
        first, more = min(problems, key=lambda problem: problem.kind != "unknown"), len(problems) - 1
        super().__init__(f"{first}" + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""))


@dataclass(frozen=True, kw_only=True)
class Part:
    """Fields are annotated ``Annotated[type, check]``, see `Check` and `facepipe.zoo.checks`.

    Raises:
        FieldError: a value may not stand in its field, or the fields do not agree.
    """

    def __post_init__(self) -> None:
        kept, problems = _checked(type(self), vars(self))
        for name, value in kept.items():
            object.__setattr__(self, name, value)
        if not problems:
            try:
                self._require_agreement()
            except ValueError as error:
                problems.append(Problem((), "value", str(error), self.to_dict()))
        if problems:
            raise FieldError(problems)

    def _require_agreement(self) -> None:
        """Raises ValueError where fields that are right by themselves do not go together."""

    @classmethod
    def of(cls, values: Any) -> Self:
        """Make one of plain values, as TOML and JSON have them; lists become tuples, tables other parts.

        Raises:
            FieldError: as the class, or a field is unknown or missing.
        """
        if not isinstance(values, Mapping):
            raise ValueError("should be a table")
        own = {field.name: field for field in fields(cls)}
        problems = [
            Problem((name,), "unknown", did_you_mean(str(name), own, "the fields here are"))
            for name in values
            if name not in own
        ]
        problems += [
            Problem((name,), "missing") for name, field in own.items() if name not in values and _is_required(field)
        ]
        if problems:
            raise FieldError(problems + _checked(cls, values)[1])
        return cls(**values)

    def to_dict(self, defaults: bool = True) -> dict[str, Any]:
        """Plain values, parts as tables.

        Args:
            defaults: include fields that have their default value.
        """
        kept = ((field, getattr(self, field.name)) for field in fields(self))
        return {
            field.name: _plain(value, defaults) for field, value in kept if defaults or value != _default_of(field)
        }


def _checked(cls: type[Part], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The values of known fields as they are kept, and what is wrong with others."""
    kept, problems = {}, []
    for name, check in _checks(cls).items():
        if name not in values:
            continue
        try:
            kept[name] = check(values[name])
        except FieldError as error:
            # What concerns a part as a whole is told with its place, not with all that it holds.
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
