"""The backbone that a head is trained on: its card completes the recipe, its weights the network."""

import copy
from pathlib import Path

import torch
from torch import Tensor

from facepipe import losses, uncertainty
from facepipe.backbones import Backbone
from facepipe.embedding.fold import fold_batch_norm
from facepipe.losses import head_features
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import ModelSection, Recipe
from facepipe.uncertainty import UncertaintyHead
from facepipe.zoo import Card, load, locate
from facepipe.zoo import Uncertainty as CardUncertainty
from facepipe.zoo.headed import Headed, head_for


class HeadNet(Headed):
    """Crops N×3×H×W → features of a `losses.UncertaintyLoss`: unit embeddings, then log κ or log σ², N×(D+K), float32.

    Unless ``finetune`` is set, the backbone is frozen and in evaluation mode, and runs as a copy with folded batch
    norms, as in `Embedder`, so that the head sees the same maps in training and in use. Under autocast the backbone
    runs in bfloat16, the head in float32.
    """

    def __init__(self, backbone: Backbone, head: UncertaintyHead, finetune: bool = False) -> None:
        super().__init__(backbone, head)
        self.finetune = finetune
        self._copies: dict[torch.dtype, Backbone] = {}  # in a dict, so that they are not saved with the module
        if not finetune:
            backbone.requires_grad_(False)

    def frozen_weights(self) -> dict[str, Tensor]:
        """Weights of the backbone, unless it is trained too."""
        if self.finetune:
            return {}
        return {f"backbone.{name}": weight for name, weight in self.backbone.state_dict().items()}

    def train(self, mode: bool = True) -> "HeadNet":
        """Set training mode of the head, and of the backbone if it is trained."""
        super().train(mode)
        self.backbone.train(mode and self.finetune)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Features N×(D+K)."""
        if self.finetune:
            maps = self.backbone.maps(x)
            mu = self.backbone.head(maps[-1])
        else:
            mu, maps = self._frozen(x)
        with torch.autocast(x.device.type, enabled=False):
            return head_features(mu, self.head(maps))

    @torch.no_grad()
    def _frozen(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        if dtype not in self._copies:
            folded = fold_batch_norm(copy.deepcopy(self.backbone))
            self._copies[dtype] = folded.to(dtype).to(memory_format=torch.channels_last)
        backbone = self._copies[dtype]
        with torch.autocast(kind, enabled=False):
            maps = backbone.maps(x.to(dtype))
            return backbone.head(maps[-1]), maps


def complete_model(recipe: Recipe) -> Recipe:
    """Take ``[model]`` from the backbone's card where a head is trained; other recipes are returned unchanged.

    Only ``model.flip``, ``model.weights`` and ``data.fit`` may differ from the card.

    Raises:
        RecipeError: no backbone is named, it is ONNX, or ``[model]`` contradicts its card.
        ModelError: the model does not exist.
    """
    settings = recipe.uncertainty
    if not settings.head:
        return recipe
    if not settings.backbone:
        raise RecipeError(
            "uncertainty.backbone is empty: name the model to train the head on, such as "
            "uncertainty.backbone = 'runs/first'"
        )
    card = backbone_card(recipe)
    from_card = _model(card)
    explicit = recipe.model.model_dump(exclude_unset=True)
    overrides = {name: value for name, value in explicit.items() if name in ("flip", "weights")}
    others = [name for name, value in explicit.items() if name not in overrides and value != from_card[name]]
    if explicit.get("backbone") and others:
        raise RecipeError(
            f"model.{others[0]} = {explicit[others[0]]!r}: the card of {card.name} says {from_card[others[0]]!r}; "
            "leave [model] out"
        )
    model = ModelSection.model_validate(from_card | overrides)
    where = {name: _absolute(getattr(settings, name)) for name in ("backbone", "centres_file")}
    data = recipe.data
    if "fit" not in data.model_fields_set:
        data = data.model_copy(update={"fit": card.input.fit})
    return recipe.model_copy(update={"model": model, "data": data, "uncertainty": settings.model_copy(update=where)})


def backbone_card(recipe: Recipe) -> Card:
    """The card of the model that the head is trained on.

    Raises:
        RecipeError: it is ONNX.
        ModelError: the model does not exist.
    """
    card, _ = locate(recipe.uncertainty.backbone)
    if card.backbone is None:
        raise RecipeError(f"uncertainty.backbone = {card.name}: an ONNX model has no feature map to train a head on")
    return card


def head_note(backbone: Card) -> str:
    """The note on the backbone in the card of the finished model."""
    return f"a head on {backbone.identity} ({backbone.title})"


def head_net(recipe: Recipe) -> HeadNet:
    """The backbone with its weights, on the CPU, and a new head initialised from torch's global generator.

    Raises:
        ModelError: the model is missing or damaged, or the head or one of its options is invalid.
    """
    settings = recipe.uncertainty
    backbone = load(settings.backbone).backbone()
    return HeadNet(backbone, head_for(backbone, card_section(recipe)), settings.finetune_backbone)


def check_loss(recipe: Recipe) -> None:
    """Refuse a loss that does not match the head.

    Raises:
        RecipeError: the loss is for another kind of head or for backbones, or there is no head for it.
        ModelError: loss or head is unknown.
    """
    name, head = recipe.loss.name, recipe.uncertainty.head
    trains = losses.describe(name).trains
    if not head:
        if trains != "embedding":
            raise RecipeError(f"loss {name} trains {trains}: name an uncertainty.head for it")
        return
    kind = uncertainty.describe(head).kind
    if kind != trains:
        raise RecipeError(
            f"loss.name = {name!r} trains {trains}, uncertainty.head = {head!r} predicts {kind}; "
            f"its losses are {', '.join(losses.names(kind))}"
        )


def card_section(recipe: Recipe) -> CardUncertainty:
    """The ``[uncertainty]`` section of the finished model's card."""
    return CardUncertainty(head=recipe.uncertainty.head, options=recipe.uncertainty.options)


def _model(card: Card) -> dict[str, object]:
    spec = card.input.to_dict()
    return {
        "backbone": card.backbone,
        "options": dict(card.backbone_options),
        "embedding_dim": card.embedding.dim,
        "flip": card.embedding.flip,
        "input_size": tuple(spec.pop("size")),
        **{name: value for name, value in spec.items() if name != "fit"},
    }


def _absolute(path: str) -> str:
    """Make an existing path absolute, so that the run can be resumed from another folder; keep a model name."""
    return str(Path(path).absolute()) if path and Path(path).exists() else path
