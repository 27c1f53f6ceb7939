"""From a trained network to a model that every other command takes: weights and card."""

import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from facepipe.backbones import Backbone
from facepipe.files import write_bytes
from facepipe.train.calibrate import Threshold
from facepipe.train.recipe import Recipe
from facepipe.zoo import Card, Model, save_card

WEIGHTS = "weights.safetensors"
CARD = "card.toml"
_UNSAVED = "0" * 64


def as_model(net: Backbone, recipe: Recipe, device: torch.device) -> Model:
    """The network as a model, to embed with while it is trained; nothing is copied or written."""
    card = _card("training", recipe, _UNSAVED, [], "", "")
    return Model(card=card, network=net, identity=card.identity, device=device)


def write_model(
    run: Path,
    net: Backbone,
    recipe: Recipe,
    thresholds: list[Threshold],
    calibrated_on: str,
    training_data: str,
) -> Card:
    """Write ``weights.safetensors`` and ``card.toml`` to ``run``, each whole or not at all.

    Raises:
        OSError: the folder cannot be written.
        ModelError: the recipe's values do not make a card.
    """
    data = save({name: tensor.detach().contiguous().cpu() for name, tensor in net.state_dict().items()})
    write_bytes(run / WEIGHTS, data)
    name = re.sub(r"[^a-z0-9._-]+", "-", run.resolve().name.lower()).lstrip("._-") or "run"
    card = _card(name, recipe, hashlib.sha256(data).hexdigest(), thresholds, calibrated_on, training_data)
    save_card(card, run / CARD)
    return card


def _card(
    name: str,
    recipe: Recipe,
    sha256: str,
    thresholds: list[Threshold],
    calibrated_on: str,
    training_data: str,
) -> Card:
    model = recipe.model
    fields: dict[str, Any] = {
        "name": name,
        "title": f"{model.backbone} trained with {recipe.loss.name}",
        "backbone": model.backbone,
        "backbone_options": model.options,
        "input": {
            "size": model.input_size,
            "template": model.template,
            "channels": model.channels,
            "mean": model.mean,
            "scale": model.scale,
        },
        "embedding": {"dim": model.embedding_dim, "flip": model.flip},
        "weights": {"file": WEIGHTS, "format": "safetensors", "sha256": sha256},
        "thresholds": [
            {"far": threshold.far, "value": threshold.cosine, "calibrated_on": calibrated_on}
            for threshold in thresholds
        ],
        "source": {"training_data": training_data, "notes": "trained by facepipe train; see recipe.toml"},
    }
    return Card.model_validate(fields)
