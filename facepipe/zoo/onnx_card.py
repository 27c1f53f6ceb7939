"""A model's card in the metadata of an ONNX file."""

import json
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.graphs import read_graph
from facepipe.zoo.card import Card
from facepipe.zoo.part import FieldError

_KEY = "facepipe.card"


def as_onnx_card(card: Card, file: Path, name: str) -> Card:
    """The card for an ONNX file that carries it: the weights' SHA-256 stays that of what it was made of.

    Raises:
        ModelError: the name is impossible.
    """
    weights = {"file": file.name, "format": "onnx", "sha256": card.weights.sha256}
    values = card.to_dict() | {"name": name, "backbone": None, "backbone_options": {}, "weights": weights}
    try:
        return Card.of(values)
    except FieldError as error:
        raise ModelError(f"{name!r} cannot name a model: use small letters, digits, '.', '-' and '_'") from error


def card_metadata(card: Card) -> dict[str, str]:
    """What the file's metadata says."""
    return {_KEY: json.dumps(card.to_dict(defaults=False))}


def card_of(file: Path) -> Card:
    """The card that an ONNX file carries.

    Raises:
        ModelError: the file is missing, damaged, or carries none.
    """
    text = read_graph(file, outside=True).metadata.get(_KEY)
    if text is None:
        raise ModelError(
            f"{file}: carries no card; 'facepipe models import NAME {file.name}' takes it, and asks how it is fed"
        )
    try:
        return Card.of(json.loads(text))
    except ValueError as error:
        raise ModelError(f"{file}: the card in it is damaged; export the model again") from error
