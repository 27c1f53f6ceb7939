"""Read and write cards as TOML files."""

import tomllib
from pathlib import Path
from typing import TypeVar

from facepipe.errors import ModelError
from facepipe.files import require_regular, write_text
from facepipe.zoo.card import Card, DetectorCard
from facepipe.zoo.part import FieldError
from facepipe.zoo.toml import dumps

C = TypeVar("C", Card, DetectorCard)


def read_card(path: Path) -> Card:
    """Read a model card.

    Raises:
        ModelError: the file is missing or not TOML, or a field is missing, unknown (the message suggests the
            nearest) or invalid.
    """
    return _read(path, Card)


def read_detector_card(path: Path) -> DetectorCard:
    """Read the card of a detector; errors as in `read_card`."""
    return _read(path, DetectorCard)


def _read(path: Path, kind: type[C]) -> C:
    try:
        require_regular(path)
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelError(f"{path}: cannot read this model card ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not a model card; TOML must be UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{path}: not valid TOML: {error}") from error
    try:
        return kind.of(values)
    except FieldError as error:
        raise ModelError(f"{path}: {error}") from error


def save_card(card: Card, path: Path) -> None:
    """Write a card atomically, omitting fields with default values.

    Raises:
        ModelError: the file cannot be written.
    """
    text = dumps(card.to_dict(defaults=False))
    try:
        write_text(path, text)
    except OSError as error:
        raise ModelError(f"{path}: cannot write this model card ({error.strerror})") from error
