"""The losses by name: a decorator on a margin or on a function that builds a loss."""

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import pydantic
from torch import Tensor

from facepipe.errors import ModelError
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import MarginHead
from facepipe.losses.loss import Loss
from facepipe.named_options import nearest

Build = TypeVar("Build", bound=Callable[..., Loss])
MarginFunction = TypeVar("MarginFunction", bound=Callable[..., Tensor])
Trains = Literal["embedding", "kappa", "sigma2"]


class _Entry(NamedTuple):
    build: Callable[..., Loss]
    schema: type[pydantic.BaseModel]
    paper: str
    trains: Trains = "embedding"


_ENTRIES: dict[str, _Entry] = {}
_ALIASES: dict[str, str] = {}


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
        _enter(build.__name__, _Entry(build, _schema(build, {}), paper, trains), alias)
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

        schema = _schema(margin, {"projected": (bool, projected)})
        _enter(margin.__name__, _Entry(build, schema, paper), alias)
        return margin

    return enter


def names(trains: Trains = "embedding") -> list[str]:
    """The names that :func:`create` knows, of losses that train this, in alphabetical order; without aliases."""
    return sorted(name for name, entry in _ENTRIES.items() if entry.trains == trains)


def describe(name: str) -> LossInfo:
    """Paper and options, with their defaults, of a loss.

    Raises:
        ModelError: the name is unknown.
    """
    name = _ALIASES.get(name, name)
    entry = _entry(name)
    defaults = {option: field.default for option, field in entry.schema.model_fields.items()}
    return LossInfo(name, entry.paper, defaults, entry.trains)


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
    entry = _entry(name)
    known = list(entry.schema.model_fields)
    for option in options:
        if option not in known:
            raise ModelError(f"loss {name} has no option {option!r}{nearest(option, known)}")
    for size, value, least in (("embedding_dim", embedding_dim, 1), ("num_classes", num_classes, 2)):
        if not isinstance(value, int) or value < least:
            raise ModelError(f"loss {name}: {size} must be a whole number, at least {least}, got {value!r}")
    try:
        checked = entry.schema(**options)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        given = f"{first['loc'][0]}={options[str(first['loc'][0])]!r}"
        raise ModelError(f"loss {name}: option {given}: {first['msg']}") from error
    return entry.build(embedding_dim, num_classes, **{option: getattr(checked, option) for option in known})


def _enter(name: str, entry: _Entry, alias: str | None) -> None:
    _ENTRIES[name] = entry
    if alias is not None:
        _ALIASES[alias] = name


def _schema(function: Callable[..., Any], more: dict[str, Any]) -> type[pydantic.BaseModel]:
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    fields = {p.name: (hints[p.name], p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}
    config = pydantic.ConfigDict(allow_inf_nan=False, frozen=True)
    schema: type[pydantic.BaseModel] = pydantic.create_model(
        function.__name__, __config__=config, **(fields | more)
    )
    return schema


def _entry(name: str) -> _Entry:
    entry = _ENTRIES.get(_ALIASES.get(name, name))
    if entry is None:
        raise ModelError(f"unknown loss {name!r}{nearest(name, sorted([*_ENTRIES, *_ALIASES]))}")
    return entry

