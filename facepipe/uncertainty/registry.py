"""The heads by name: a decorator on plain functions, and no more."""

import difflib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from facepipe.errors import ModelError
from facepipe.uncertainty.head import Kind, UncertaintyHead

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
    return HeadInfo(name, entry.kind, entry.paper, _options(entry))


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
    known = _options(entry)
    for option, value in options.items():
        if option not in known:
            raise ModelError(f"uncertainty head {name} has no option {option!r}{_nearest(option, list(known))}")
        _check_option(name, option, value, known[option])
    shape = tuple(feature_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in (*shape, embedding_dim)):
        raise ModelError(f"uncertainty head {name}: impossible sizes {feature_shape!r}, {embedding_dim!r}")
    return entry.build(shape, embedding_dim, tuple(stage_channels), **options)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise ModelError(f"unknown uncertainty head {name!r}{_nearest(name, names())}")
    return _ENTRIES[name]


def _options(entry: _Entry) -> dict[str, Any]:
    parameters = list(inspect.signature(entry.build).parameters.values())[3:]
    return {parameter.name: parameter.default for parameter in parameters}


def _check_option(name: str, option: str, value: Any, default: Any) -> None:
    # Options come from TOML files too, where 1 may stand for 1.0.
    fits = isinstance(value, bool) if isinstance(default, bool) else type(value) in (int, type(default))
    if not fits or not math.isfinite(value):
        wanted = "true or false" if isinstance(default, bool) else f"a number such as {default}"
        raise ModelError(f"uncertainty head {name}: option {option} must be {wanted}, got {value!r}")


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose one of {', '.join(known)}" if known else "; it takes none"
