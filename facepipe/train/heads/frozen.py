"""The backbone that a head is trained on: its card fills the recipe, its weights the network."""

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
    """Crops N×3×H×W → features of an `losses.UncertaintyLoss`: unit embeddings, then log κ or log σ², N×(D+K), float32.

    The backbone stays as it is and in evaluation mode, unless ``finetune`` is set; then a copy does its work whose
    batch norm is folded away, as in `Embedder`, so that the head sees what it will see later. Under autocast the
    backbone runs in bfloat16, the head in float32.
    """

    def __init__(self, backbone: Backbone, head: UncertaintyHead, finetune: bool = False) -> None:
        super().__init__(backbone, head)
        self.finetune = finetune
        self._copies: dict[torch.dtype, Backbone] = {}  # not a module's: it is not saved
        if not finetune:
            backbone.requires_grad_(False)

    def frozen_weights(self) -> dict[str, Tensor]:
        """The backbone's, unless it is trained too."""
        if self.finetune:
            return {}
        return {f"backbone.{name}": weight for name, weight in self.backbone.state_dict().items()}

    def train(self, mode: bool = True) -> "HeadNet":
        """Training mode for the head, and for the backbone if it is trained."""
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
            own = fold_batch_norm(copy.deepcopy(self.backbone))
            self._copies[dtype] = own.to(dtype).to(memory_format=torch.channels_last)
        backbone = self._copies[dtype]
        with torch.autocast(kind, enabled=False):
            maps = backbone.maps(x.to(dtype))
            return backbone.head(maps[-1]), maps


def fill_model(recipe: Recipe) -> Recipe:
    """The recipe with the ``[model]`` of the backbone's card where a head is trained; others come back as they are.

    Only ``model.flip`` and ``model.weights`` may be set otherwise, and ``data.fit``, which is the card's too.

    Raises:
        RecipeError: no backbone is named, it is ONNX, or ``[model]`` says something else than its card.
        ModelError: there is no such model.
    """
    settings = recipe.uncertainty
    if not settings.head:
        return recipe
    if not settings.backbone:
        raise RecipeError(
            "uncertainty.backbone is empty: name the model that gets the head, such as "
            "such as uncertainty.backbone = 'runs/first'"
        )
    card = backbone_card(recipe)
    of_card = _model(card)
    given = recipe.model.model_dump(exclude_unset=True)
    own = {name: value for name, value in given.items() if name in ("flip", "weights")}
    others = [name for name, value in given.items() if name not in own and value != of_card[name]]
    if given.get("backbone") and others:
        raise RecipeError(
            f"model.{others[0]} = {given[others[0]]!r}: the card of {card.name} says {of_card[others[0]]!r}; "
            "leave [model] out"
        )
    model = ModelSection.model_validate(of_card | own)
    where = {name: _absolute(getattr(settings, name)) for name in ("backbone", "centres_file")}
    data = recipe.data
    if "fit" not in data.model_fields_set:
        data = data.model_copy(update={"fit": card.input.fit})
    return recipe.model_copy(update={"model": model, "data": data, "uncertainty": settings.model_copy(update=where)})


def backbone_card(recipe: Recipe) -> Card:
    """The card of the model that gets a head.

    Raises:
        RecipeError: it is ONNX.
        ModelError: there is no such model.
    """
    card, _ = locate(recipe.uncertainty.backbone)
    if card.backbone is None:
        raise RecipeError(f"uncertainty.backbone = {card.name}: an ONNX model gives no feature map to put a head on")
    return card


def head_note(backbone: Card) -> str:
    """What the card of a finished model says of the model that got the head."""
    return f"a head on {backbone.identity} ({backbone.title})"


def head_net(recipe: Recipe) -> HeadNet:
    """The backbone with its weights, on the CPU, and a fresh head drawn from torch's global generator.

    Raises:
        ModelError: the model is not at hand or damaged, or the head or an option is impossible.
    """
    settings = recipe.uncertainty
    backbone = load(settings.backbone).backbone()
    return HeadNet(backbone, head_for(backbone, of_card(recipe)), settings.finetune_backbone)


def check_loss(recipe: Recipe) -> None:
    """Refuse a loss that trains something else than the recipe has.

    Raises:
        RecipeError: a head with the loss of another kind, or of backbones; or a head's loss without a head.
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
            f"loss.name = {name!r} trains {trains}, uncertainty.head = {head!r} gives {kind}; "
            f"its losses are {', '.join(losses.names(kind))}"
        )


def of_card(recipe: Recipe) -> CardUncertainty:
    """What the card of the finished model says of the head."""
    return CardUncertainty(head=recipe.uncertainty.head, options=recipe.uncertainty.options)


def _model(card: Card) -> dict[str, object]:
    taken = card.input.to_dict()
    return {
        "backbone": card.backbone,
        "options": dict(card.backbone_options),
        "embedding_dim": card.embedding.dim,
        "flip": card.embedding.flip,
        "input_size": tuple(taken.pop("size")),
        **{name: value for name, value in taken.items() if name != "fit"},
    }


def _absolute(path: str) -> str:
    """Paths that exist, made absolute, so that the run can be resumed from another folder; names as they are."""
    return str(Path(path).absolute()) if path and Path(path).exists() else path
