"""A model's card in the metadata of an ONNX file."""

import json
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.graphs import read_graph
from facepipe.zoo.card import Card
from facepipe.zoo.part import FieldError

_KEY = "facepipe.card"


def as_onnx_card(card: Card, file: Path, name: str) -> Card:
    """The card to embed in an ONNX file; its SHA-256 remains that of the original weights.

    Raises:
        ModelError: the name is invalid.
    """
    weights = {"file": file.name, "format": "onnx", "sha256": card.weights.sha256}
    values = card.to_dict() | {"name": name, "backbone": None, "backbone_options": {}, "weights": weights}
    try:
        return Card.of(values)
    except FieldError as error:
        raise ModelError(f"{name!r} is not a valid model name: use lowercase letters, digits, '.', '-', '_'") from error


def card_metadata(card: Card) -> dict[str, str]:
    """The metadata of a file with this card."""
    return {_KEY: json.dumps(card.to_dict(defaults=False))}


def card_of(file: Path) -> Card:
    """The card embedded in an ONNX file.

    Raises:
        ModelError: the file is missing, damaged, or has no card.
    """
    text = read_graph(file, outside=True).metadata.get(_KEY)
    if text is None:
        raise ModelError(
            f"{file}: has no embedded card; 'facepipe models import NAME {file.name}' imports it and asks for its input"
        )
    try:
        return Card.of(json.loads(text))
    except ValueError as error:
        raise ModelError(f"{file}: the card in it is damaged; export the model again") from error
