"""Options of registered entries: derived from the signature of the function that makes them, and validated."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from facepipe.errors import ModelError
from facepipe.nearest import nearest


class OptionSchema:
    """The keyword-only parameters of a function; their annotations define the allowed values.

    Types are strict: 1 is accepted as 1.0, but true is not a number, nor is "1". Lists, as in TOML, become tuples.
    Numbers must be finite.

    Args:
        function: every keyword-only parameter needs an annotation and a default.
        more: name → (annotation, default) of additional options.

    Raises:
        TypeError: a parameter that is not keyword-only has a default.
    """

    def __init__(self, function: Callable[..., Any], more: Mapping[str, Any] | None = None) -> None:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())
        positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is not p.empty]
        if positional:
            raise TypeError(f"{function.__name__}: {positional[0]} has a default; put options after '*'")
        fields: dict[str, Any] = {p.name: (hints[p.name], p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}
        fields |= more or {}
        config = pydantic.ConfigDict(allow_inf_nan=False, frozen=True, strict=True)
        self._model: type[pydantic.BaseModel] = pydantic.create_model(function.__name__, __config__=config, **fields)

    @property
    def defaults(self) -> dict[str, Any]:
        """Name → default."""
        return {name: field.default for name, field in self._model.model_fields.items()}

    def checked(self, what: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options, with defaults for those not given.

        Args:
            what: the owner of the options, for the message.
            options: name → value.

        Raises:
            ModelError: an option is unknown (the message suggests the nearest), or its value is not allowed.
        """
        known = list(self._model.model_fields)
        for option in options:
            if option not in known:
                raise ModelError(f"{what} has no option {option!r}; {_hint(option, known)}")
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        try:
            checked = self._model(**values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            option = str(first["loc"][0])
            raise ModelError(f"{what}: option {option}={options[option]!r}: {first['msg']}") from error
        return {name: getattr(checked, name) for name in known}


def _hint(option: str, known: list[str]) -> str:
    # In recipes and calls `name` stands next to the options, so `nam` may be meant for it.
    name = nearest(option, [*known, "name"])
    if name is not None:
        return f"did you mean {name!r}?"
    return f"choose one of {', '.join(known)}" if known else "it has no options"
