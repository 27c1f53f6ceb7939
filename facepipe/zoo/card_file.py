"""Cards as TOML files: reading with errors that name the field, and writing."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from facepipe.errors import ModelError
from facepipe.files import write_text
from facepipe.nearest import did_you_mean
from facepipe.zoo.card import Card, DetectorCard
from facepipe.zoo.toml import dumps

C = TypeVar("C", Card, DetectorCard)


def read_card(path: Path) -> Card:
    """Read a model card.

    Raises:
        ModelError: the file is missing or no TOML, or a field is missing, unknown (the nearest known one is
            named) or has an impossible value.
    """
    return _read(path, Card)


def read_detector_card(path: Path) -> DetectorCard:
    """Read the card of a detector; it fails as `read_card` does."""
    return _read(path, DetectorCard)


def _read(path: Path, kind: type[C]) -> C:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelError(f"{path}: cannot read this model card ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not a model card; TOML is UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{path}: not valid TOML: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ModelError(f"{path}: {_first_problem(error, kind)}") from error


def save_card(card: Card, path: Path) -> None:
    """Write a card, whole or not at all; fields that have their default value are left out.

    Raises:
        ModelError: the file cannot be written.
    """
    text = dumps(card.model_dump(exclude_defaults=True))
    try:
        write_text(path, text)
    except OSError as error:
        raise ModelError(f"{path}: cannot write this model card ({error.strerror})") from error


def _first_problem(error: ValidationError, kind: type[BaseModel]) -> str:
    problems = error.errors()
    # An unknown field is often the misspelt missing one, and the more useful to hear of.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    location = first["loc"]
    field = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if first["type"] == "extra_forbidden":
        text = f"unknown field {field}; {_hint(location, kind)}"
    elif first["type"] == "missing":
        text = f"field {field} is missing"
    elif not location:
        text = first["msg"].removeprefix("Value error, ")
    else:
        reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ").replace("Input ", "")
        text = f"field {field} {reason}, got {first['input']!r}"
    more = len(problems) - 1
    return text if more == 0 else f"{text} (and {more} more problem{'s' if more > 1 else ''})"


def _hint(location: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    model: Any = kind
    for part in location[:-1]:
        if isinstance(part, str):
            model = _part_of(model.model_fields[part].annotation)
    return did_you_mean(str(location[-1]), model.model_fields, "the fields here are")


def _part_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for part in map(_part_of, get_args(annotation)) if part is not None), None)
