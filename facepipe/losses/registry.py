"""The registry of losses: decorators for margins and for functions that build a loss."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import MarginHead
from facepipe.losses.loss import Loss
from facepipe.option_schema import OptionSchema
from facepipe.registry import Registry

Build = TypeVar("Build", bound=Callable[..., Loss])
MarginFunction = TypeVar("MarginFunction", bound=Callable[..., Tensor])
Trains = Literal["embedding", "kappa", "sigma2"]


class _Entry(NamedTuple):
    build: Callable[..., Loss]
    options: OptionSchema
    paper: str
    trains: Trains = "embedding"


_FOLDERS = "facepipe.losses.classification", "facepipe.losses.metric", "facepipe.losses.uncertainty"
LOSSES: Registry[_Entry] = Registry("loss", "facepipe.losses", folders=_FOLDERS)


@dataclass(frozen=True)
class LossInfo:
    """The description of a loss."""

    name: str
    paper: str
    options: dict[str, Any]  # name → default
    trains: Trains  # a backbone, or an uncertainty head of this kind


def register(
    *, paper: str, alias: str | None = None, trains: Trains = "embedding"
) -> Callable[[Build], Build]:
    """Register ``build(embedding_dim, num_classes, *, option=default, ...)`` under its own name.

    Pydantic checks the options against their annotations.
    """

    def enter(build: Build) -> Build:
        LOSSES.add(build.__name__, _Entry(build, OptionSchema(build), paper, trains), alias)
        return build

    return enter


def register_margin(
    *, paper: str, alias: str | None = None, projected: bool = False
) -> Callable[[MarginFunction], MarginFunction]:
    """Register ``margin(cosine, norm, label, step, *, option=default, ...)`` as a loss under its own name.

    Every such loss has one more option, ``projected`` (default as given here): False differentiates through
    w/‖w‖, True row-normalises W in place before each step and treats w as unconstrained in the gradient.
    """

    def enter(margin: MarginFunction) -> MarginFunction:
        def build(embedding_dim: int, num_classes: int, *, projected: bool, **options: Any) -> Loss:
            head = MarginHead(functools.partial(margin, **options), projected=projected)
            return ClassificationLoss(ClassWeights(num_classes, embedding_dim), head)

        schema = OptionSchema(margin, {"projected": (bool, projected)})
        LOSSES.add(margin.__name__, _Entry(build, schema, paper), alias)
        return margin

    return enter


def names(trains: Trains = "embedding") -> list[str]:
    """Names for :func:`create` of the losses that train this, in alphabetical order, without aliases."""
    return sorted(name for name, entry in LOSSES.items() if entry.trains == trains)


def describe(name: str) -> LossInfo:
    """The paper and options of a loss, with their defaults.

    Raises:
        ModelError: the name is unknown.
    """
    entry = LOSSES[name]
    return LossInfo(LOSSES.name_of(name), entry.paper, entry.options.defaults, entry.trains)


def create(name: str, embedding_dim: int, num_classes: int, **options: Any) -> Loss:
    """Build a loss with class weights initialised from torch's global generator.

    Args:
        name: one of :func:`names`, or ``sphereface`` for ``a_softmax``, ``am_softmax`` for ``cosface``.
        embedding_dim: D, dimension of the embedding.
        num_classes: C, number of identities, at least 2.
        options: see ``describe(name).options`` and the function of that name.

    Raises:
        ModelError: the name or an option is unknown (the message suggests the nearest), or an option or size is
            invalid.
    """
    entry = LOSSES[name]
    checked = entry.options.checked(f"loss {name}", options)
    for size, value, least in (("embedding_dim", embedding_dim, 1), ("num_classes", num_classes, 2)):
        if not isinstance(value, int) or value < least:
            raise ModelError(f"loss {name}: {size} must be an integer of at least {least}, got {value!r}")
    return entry.build(embedding_dim, num_classes, **checked)
