"""The registry of backbones: a decorator for functions that build one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.blank import Blank
from facepipe.errors import ModelError
from facepipe.option_schema import OptionSchema
from facepipe.registry import Registry

_SMALLEST_SIDE = 16  # four halvings leave one pixel


class _Entry(NamedTuple):
    build: Callable[..., Backbone]
    options: OptionSchema
    input_size: tuple[int, int]
    embedding_dim: int
    paper: str


BACKBONES: Registry[_Entry] = Registry("backbone", "facepipe.backbones", folders=("facepipe.backbones",))


@dataclass(frozen=True)
class BackboneInfo:
    """The description of a network; sizes are the defaults of ``create``."""

    name: str
    input_size: tuple[int, int]  # (H, W)
    embedding_dim: int
    paper: str
    options: dict[str, Any]  # name → default

    @cached_property
    def parameters(self) -> int:
        """Number of parameters at the default sizes, including frozen ones; allocates no memory for weights."""
        with Blank():
            return sum(parameter.numel() for parameter in create(self.name).parameters())


def register(
    *, input_size: tuple[int, int], embedding_dim: int, paper: str
) -> Callable[[Callable[..., Backbone]], Callable[..., Backbone]]:
    """Register ``build(input_size, embedding_dim, *, option=default, ...)`` under its own name, with default sizes."""

    def enter(build: Callable[..., Backbone]) -> Callable[..., Backbone]:
        BACKBONES.add(build.__name__, _Entry(build, OptionSchema(build), input_size, embedding_dim, paper))
        return build

    return enter


def names() -> list[str]:
    """Names for ``create``, in alphabetical order, numbers by value."""
    return BACKBONES.names()


def describe(name: str) -> BackboneInfo:
    """Default sizes, options, paper and parameter count of a network.

    Raises:
        ModelError: the name is unknown.
    """
    entry = BACKBONES[name]
    return BackboneInfo(name, entry.input_size, entry.embedding_dim, entry.paper, entry.options.defaults)


def create(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    embedding_dim: int | None = None,
    **options: Any,
) -> Backbone:
    """Build a network with weights initialised from torch's global generator.

    Args:
        name: one of ``names()``.
        input_size: (H, W) of the crops in pixels, each at least 16; None uses the network's default.
        embedding_dim: dimension of the embedding; None uses the network's default.
        options: options of the network, see ``describe(name).options``.

    Raises:
        ModelError: the name or an option is unknown (the message suggests the nearest), or a value is invalid.
    """
    entry = BACKBONES[name]
    checked = entry.options.checked(f"backbone {name}", options)
    size = _checked_size(name, input_size or entry.input_size)
    dim = entry.embedding_dim if embedding_dim is None else embedding_dim
    if not isinstance(dim, int) or dim < 1:
        raise ModelError(f"backbone {name}: embedding_dim must be a positive integer, got {dim!r}")
    return entry.build(size, dim, **checked)


def _checked_size(name: str, size: tuple[int, int]) -> tuple[int, int]:
    sides = tuple(size)
    if len(sides) != 2 or any(not isinstance(side, int) or side < _SMALLEST_SIDE for side in sides):
        raise ModelError(
            f"backbone {name}: input_size must be (H, W), each at least {_SMALLEST_SIDE} pixels, got {size!r}"
        )
    return sides[0], sides[1]
