"""The networks by name: a decorator on plain functions, and no more."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch

from facepipe.backbones.backbone import Backbone
from facepipe.errors import ModelError

_SMALLEST_SIDE = 16  # four halvings leave one pixel


class _Entry(NamedTuple):
    build: Callable[..., Backbone]
    input_size: tuple[int, int]
    embedding_dim: int
    paper: str


_ENTRIES: dict[str, _Entry] = {}


@dataclass(frozen=True)
class BackboneInfo:
    """What is known of a network without its weights; sizes are the defaults of ``create``."""

    name: str
    input_size: tuple[int, int]  # (H, W)
    embedding_dim: int
    paper: str
    options: dict[str, Any]  # name → default

    @cached_property
    def parameters(self) -> int:
        """Number of parameters at the default sizes, frozen ones included; takes no memory for weights."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in create(self.name).parameters())


def register(
    *, input_size: tuple[int, int], embedding_dim: int, paper: str
) -> Callable[[Callable[..., Backbone]], Callable[..., Backbone]]:
    """Enter ``build(input_size, embedding_dim, **options)`` under its own name, with its default sizes."""

    def enter(build: Callable[..., Backbone]) -> Callable[..., Backbone]:
        _ENTRIES[build.__name__] = _Entry(build, input_size, embedding_dim, paper)
        return build

    return enter


def names() -> list[str]:
    """The names that ``create`` knows, in order of registration."""
    return list(_ENTRIES)


def describe(name: str) -> BackboneInfo:
    """Default sizes, options, paper and number of parameters of a network.

    Raises:
        ModelError: the name is unknown.
    """
    entry = _entry(name)
    return BackboneInfo(name, entry.input_size, entry.embedding_dim, entry.paper, _options(entry))


def create(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    embedding_dim: int | None = None,
    **options: Any,
) -> Backbone:
    """Build a network with fresh weights, drawn from torch's global generator.

    Args:
        name: one of ``names()``.
        input_size: (H, W) of the crops in pixels, each at least 16; None takes the network's own.
        embedding_dim: length of the embedding; None takes the network's own.
        options: what the network's own function takes besides, see ``describe(name).options``.

    Raises:
        ModelError: the name or an option is unknown (the nearest known one is named), or a value
            is impossible.
    """
    entry = _entry(name)
    known = _options(entry)
    for option, value in options.items():
        if option not in known:
            raise ModelError(f"backbone {name} has no option {option!r}{_nearest(option, list(known))}")
        _check_option(name, option, value, known[option])
    size = _checked_size(name, input_size or entry.input_size)
    dim = entry.embedding_dim if embedding_dim is None else embedding_dim
    if not isinstance(dim, int) or dim < 1:
        raise ModelError(f"backbone {name}: embedding_dim must be a positive whole number, got {dim!r}")
    return entry.build(size, dim, **options)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise ModelError(f"unknown backbone {name!r}{_nearest(name, names())}")
    return _ENTRIES[name]


def _options(entry: _Entry) -> dict[str, Any]:
    parameters = list(inspect.signature(entry.build).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def _check_option(name: str, option: str, value: Any, default: Any) -> None:
    # Options come from TOML files too, where 1 may stand for 1.0.
    fits = isinstance(value, bool) if isinstance(default, bool) else type(value) in (int, type(default))
    if not fits:
        wanted = "true or false" if isinstance(default, bool) else "a number"
        raise ModelError(f"backbone {name}: option {option} must be {wanted}, got {value!r}")


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose one of {', '.join(known)}" if known else "; it takes none"


def _checked_size(name: str, size: tuple[int, int]) -> tuple[int, int]:
    sides = tuple(size)
    if len(sides) != 2 or any(not isinstance(side, int) or side < _SMALLEST_SIDE for side in sides):
        raise ModelError(
            f"backbone {name}: input_size must be (H, W), each at least {_SMALLEST_SIDE} pixels, got {size!r}"
        )
    return sides[0], sides[1]
