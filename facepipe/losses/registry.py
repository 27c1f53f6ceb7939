"""The losses by name: a decorator on a margin or on a function that builds a loss."""

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
    """What is known of a loss before it is made."""

    name: str
    paper: str
    options: dict[str, Any]  # name → default
    trains: Trains  # a backbone, or an uncertainty head of this kind


def register(
    *, paper: str, alias: str | None = None, trains: Trains = "embedding"
) -> Callable[[Build], Build]:
    """Enter ``build(embedding_dim, num_classes, *, option=default, ...)`` under its own name.

    The annotations of the options say which values are allowed; pydantic checks them.
    """

    def enter(build: Build) -> Build:
        LOSSES.add(build.__name__, _Entry(build, OptionSchema(build), paper, trains), alias)
        return build

    return enter


def register_margin(
    *, paper: str, alias: str | None = None, projected: bool = False
) -> Callable[[MarginFunction], MarginFunction]:
    """Enter ``margin(cosine, norm, label, step, *, option=default, ...)`` as a loss under its own name.

    Every such loss has one more option, ``projected`` (default as given here): False sends the gradient
    through w/‖w‖, True row-normalises W in place before each step and leaves w as it is in the gradient.
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
    """The names that :func:`create` knows, of losses that train this, in alphabetical order; without aliases."""
    return sorted(name for name, entry in LOSSES.items() if entry.trains == trains)


def describe(name: str) -> LossInfo:
    """Paper and options, with their defaults, of a loss.

    Raises:
        ModelError: the name is unknown.
    """
    entry = LOSSES[name]
    return LossInfo(LOSSES.name_of(name), entry.paper, entry.options.defaults, entry.trains)


def create(name: str, embedding_dim: int, num_classes: int, **options: Any) -> Loss:
    """Make a loss with fresh class weights, drawn from torch's global generator.

    Args:
        name: one of :func:`names`, or ``sphereface`` for ``a_softmax``, ``am_softmax`` for ``cosface``.
        embedding_dim: D, length of the embedding.
        num_classes: C, number of identities, at least 2.
        options: see ``describe(name).options`` and the function of that name.

    Raises:
        ModelError: the name or an option is unknown (the nearest known one is named), an option's value is
            not allowed, or a size is impossible.
    """
    entry = LOSSES[name]
    checked = entry.options.checked(f"loss {name}", options)
    for size, value, least in (("embedding_dim", embedding_dim, 1), ("num_classes", num_classes, 2)):
        if not isinstance(value, int) or value < least:
            raise ModelError(f"loss {name}: {size} must be a whole number, at least {least}, got {value!r}")
    return entry.build(embedding_dim, num_classes, **checked)
