"""Write a trained network as a model that every other command loads: weights and card."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from facepipe.files import write_bytes
from facepipe.train.heads.frozen import card_section
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Card, CardSource, Model, Probability, Threshold, Uncertainty, save_card
from facepipe.zoo.headed import Trainable

WEIGHTS = "weights.safetensors"
CARD = "card.toml"
_UNSAVED = "0" * 64


def as_model(net: Trainable, recipe: Recipe, device: torch.device) -> Model:
    """The network, with its head, as a model for embedding during training; nothing is copied or written."""
    backbone, head = net.parts()
    card = _card("training", recipe, _UNSAVED, [], CardSource(), None if head is None else card_section(recipe))
    return Model(card=card, network=backbone, identity=card.identity, device=device, head=head)


def write_model(
    run: Path,
    net: Trainable,
    recipe: Recipe,
    thresholds: Sequence[Threshold],
    source: CardSource,
    uncertainty: Uncertainty | None = None,
    probabilities: Sequence[Probability] = (),
) -> Card:
    """Write ``weights.safetensors`` and ``card.toml`` to ``run``, each atomically.

    Args:
        run: the run folder.
        net: a backbone, with or without a head.
        recipe: gives the input format.
        thresholds, source, uncertainty, probabilities: for the card.

    Raises:
        OSError: the folder cannot be written.
        ModelError: the recipe's values do not form a valid card.
    """
    data = save({name: _to_dtype(tensor, recipe.model.weights) for name, tensor in net.state_dict().items()})
    write_bytes(run / WEIGHTS, data)
    name = re.sub(r"[^a-z0-9._-]+", "-", run.resolve().name.lower()).lstrip("._-") or "run"
    card = _card(name, recipe, hashlib.sha256(data).hexdigest(), thresholds, source, uncertainty, probabilities)
    save_card(card, run / CARD)
    return card


def _to_dtype(tensor: Tensor, dtype: str) -> Tensor:
    """Vectors are not converted: variances may underflow in float16, and they take hardly any space."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(torch.float16) if dtype == "float16" and tensor.ndim > 1 else tensor


def _card(
    name: str,
    recipe: Recipe,
    sha256: str,
    thresholds: Sequence[Threshold],
    source: CardSource,
    uncertainty: Uncertainty | None,
    probabilities: Sequence[Probability] = (),
) -> Card:
    model = recipe.model
    what = model.backbone if uncertainty is None else f"{model.backbone}, {uncertainty.head} head"
    how = f"distilled from {recipe.teacher.model}" if recipe.teacher.model else f"trained with {recipe.loss.name}"
    fields: dict[str, Any] = {
        "name": name,
        "title": f"{what} {how}",
        "backbone": model.backbone,
        "backbone_options": model.options,
        "input": {
            "size": model.input_size,
            "template": model.template,
            "fit": recipe.data.fit,
            "channels": model.channels,
            "mean": model.mean,
            "scale": model.scale,
        },
        "embedding": {"dim": model.embedding_dim, "flip": model.flip},
        "weights": {"file": WEIGHTS, "format": "safetensors", "sha256": sha256},
        "uncertainty": uncertainty,
        "thresholds": tuple(thresholds),
        "probabilities": tuple(probabilities),
        "source": source,
    }
    return Card.of(fields)
