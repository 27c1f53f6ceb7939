"""The registry of uncertainty heads: a decorator for functions that build one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from facepipe.errors import ModelError
from facepipe.option_schema import OptionSchema
from facepipe.registry import Registry
from facepipe.uncertainty.head import HeadKind, UncertaintyHead

Build = Callable[..., UncertaintyHead]


class _Entry(NamedTuple):
    build: Build
    options: OptionSchema
    kind: HeadKind
    paper: str


HEADS: Registry[_Entry] = Registry("uncertainty head", "facepipe.uncertainty_heads", folders=("facepipe.uncertainty",))


@dataclass(frozen=True)
class HeadInfo:
    """The description of a head."""

    name: str
    kind: HeadKind
    paper: str
    options: dict[str, Any]  # name → default


def register(*, kind: HeadKind, paper: str) -> Callable[[Build], Build]:
    """Register ``build(feature_shape, embedding_dim, stage_channels, *, option=default, ...)`` under its own name."""

    def enter(build: Build) -> Build:
        HEADS.add(build.__name__, _Entry(build, OptionSchema(build), kind, paper))
        return build

    return enter


def names() -> list[str]:
    """Names for ``create``, in alphabetical order."""
    return HEADS.names()


def describe(name: str) -> HeadInfo:
    """Kind, options and paper of a head.

    Raises:
        ModelError: the name is unknown.
    """
    entry = HEADS[name]
    return HeadInfo(name, entry.kind, entry.paper, entry.options.defaults)


def create(
    name: str,
    *,
    feature_shape: tuple[int, int, int],
    embedding_dim: int,
    stage_channels: tuple[int, ...] = (),
    **options: Any,
) -> UncertaintyHead:
    """Build a head with weights initialised from torch's global generator.

    Args:
        name: one of ``names()``.
        feature_shape: (C, h, w) of the backbone's last feature map.
        embedding_dim: D of the backbone.
        stage_channels: channels of the backbone's stages; empty if it has none.
        options: options of the head, see ``describe(name).options``.

    Raises:
        ModelError: the name or an option is unknown (the message suggests the nearest), a value is invalid, or the
            head needs stages that the backbone does not have.
    """
    entry = HEADS[name]
    checked = entry.options.checked(f"uncertainty head {name}", options)
    shape = tuple(feature_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in (*shape, embedding_dim)):
        raise ModelError(f"uncertainty head {name}: invalid sizes {feature_shape!r}, {embedding_dim!r}")
    return entry.build(shape, embedding_dim, tuple(stage_channels), **checked)
