"""The heads by name: a decorator on plain functions, and no more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from facepipe.errors import ModelError
from facepipe.named_options import check_options, nearest, options_of
from facepipe.uncertainty.head import Kind, UncertaintyHead

_SIZES = 3
"""Parameters of a head's function that are no options: feature_shape, embedding_dim, stage_channels."""

Build = Callable[..., UncertaintyHead]


class _Entry(NamedTuple):
    build: Build
    kind: Kind
    paper: str


_ENTRIES: dict[str, _Entry] = {}


@dataclass(frozen=True)
class HeadInfo:
    """What is known of a head before it is made."""

    name: str
    kind: Kind
    paper: str
    options: dict[str, Any]  # name → default


def register(*, kind: Kind, paper: str) -> Callable[[Build], Build]:
    """Enter ``build(feature_shape, embedding_dim, stage_channels, **options)`` under its own name."""

    def enter(build: Build) -> Build:
        _ENTRIES[build.__name__] = _Entry(build, kind, paper)
        return build

    return enter


def names() -> list[str]:
    """The names that ``create`` knows, in order of registration."""
    return list(_ENTRIES)


def describe(name: str) -> HeadInfo:
    """Kind, options and paper of a head.

    Raises:
        ModelError: the name is unknown.
    """
    entry = _entry(name)
    return HeadInfo(name, entry.kind, entry.paper, options_of(entry.build, _SIZES))


def create(
    name: str,
    *,
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...] = (),
    **options: Any,
) -> UncertaintyHead:
    """Build a head with fresh weights, drawn from torch's global generator.

    Args:
        name: one of ``names()``.
        feature_shape: (C, h, w) of the backbone's last feature map.
        embedding_dim: D of the backbone.
        stage_channels: channels of the backbone's stages; empty where it has none.
        options: what the head's own function takes besides, see ``describe(name).options``.

    Raises:
        ModelError: the name or an option is unknown (the nearest known one is named), a value is impossible, or
            the head needs stages that the backbone does not have.
    """
    entry = _entry(name)
    check_options(f"uncertainty head {name}", options, options_of(entry.build, _SIZES))
    shape = tuple(feature_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in (*shape, embedding_dim)):
        raise ModelError(f"uncertainty head {name}: impossible sizes {feature_shape!r}, {embedding_dim!r}")
    return entry.build(shape, embedding_dim, tuple(stage_channels), **options)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise ModelError(f"unknown uncertainty head {name!r}{nearest(name, names())}")
    return _ENTRIES[name]
