"""Find the tensors of a network in a foreign checkpoint, by the suffixes of their names and their shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.errors import ModelError
from facepipe.parameters import parameter
from facepipe.tables import counted
from facepipe.zoo.checkpoint import StateDict, is_state

if TYPE_CHECKING:
    from torch import Tensor

_MOST, _DEPTH = 8, 2
_COUNTER = "num_batches_tracked"  # only saved since torch 0.4.1, and only used in training

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Fit:
    """The tensors of a network in a checkpoint.

    Attributes:
        key: dotted path of the state dict; empty at the top level.
        prefix: prefix of the names, including the dot; may be empty.
        state: the tensors by the network's names.
        left_out: names of the other tensors of that state dict.
    """

    key: str
    prefix: str
    state: StateDict
    left_out: tuple[str, ...]

    def message(self) -> str:
        """A one-line note on what was left out; empty if nothing was."""
        if not self.left_out:
            return ""
        groups = sorted({self._group(name) for name in self.left_out})
        more = ", …" if len(groups) > _MOST else ""
        message = f"{counted(len(self.left_out), 'tensor')} left out that the network does not have"
        return f"{message}: {', '.join(groups[:_MOST])}{more}"

    def _group(self, name: str) -> str:
        """The first part of a name that says something, behind what it has in common with the network's."""
        parts = name.split(".")
        for own in self.prefix.split("."):
            if len(parts) > 1 and parts[0] == own:
                parts = parts[1:]
        return parts[0]


def fit_network(
    loaded: Any, path: Path, shapes_for: Callable[[int | None], Shapes], key: str | None, prefix: str | None
) -> Fit | None:
    """The part of a checkpoint that has all tensors of a network, with matching shapes.

    Args:
        loaded: from `facepipe.zoo.checkpoint.read_checkpoint`.
        path: the file, for messages.
        shapes_for: embedding dimension (None: the network's default) → name and shape of each tensor; the last one has
            one value, or row, per embedding dimension.
        key: path of the state dict; None searches everywhere.
        prefix: prefix of the names; None tries all.

    Returns:
        None if nothing matches.

    Raises:
        ModelError: several parts match, with different tensors; or nothing is under ``key`` or ``prefix``.
    """
    tables = [(where, state) for where, state in _tables(loaded, "", _DEPTH) if key in (None, where)]
    if key is not None and not tables:
        known = ", ".join(where for where, _ in _tables(loaded, "", _DEPTH) if where) or "none below the top"
        raise ModelError(f"{path}: no state dict under key {key!r}; the keys are {known}")
    last = [name for name in shapes_for(None) if not name.endswith(_COUNTER)][-1]
    found = [
        one
        for where, state in tables
        for start in _prefixes(state, last)
        if prefix in (None, start, start.rstrip("."))
        and (one := _fitted(where, start, state, last, shapes_for)) is not None
    ]
    if prefix is not None and not found:
        known = ", ".join(repr(start) for _, state in tables for start in _prefixes(state, last)) or "none"
        raise ModelError(f"{path}: no matching tensors under prefix {prefix!r}; prefixes of {last}: {known}")
    return _only(_distinct(found), path)


def _tables(loaded: Any, where: str, depth: int) -> Iterator[tuple[str, StateDict]]:
    """Every dictionary of tensors with its path, ignoring other values."""
    if not isinstance(loaded, dict):
        return
    tensors = {name: value for name, value in loaded.items() if isinstance(name, str) and is_state({name: value})}
    if tensors:
        yield where, tensors
    if depth:
        for name, value in loaded.items():
            yield from _tables(value, f"{where}.{name}".lstrip("."), depth - 1)


def _prefixes(state: StateDict, last: str) -> list[str]:
    return [name[: -len(last)] for name in state if name == last or name.endswith(f".{last}")]


def _fitted(
    where: str, prefix: str, state: StateDict, last: str, shapes_for: Callable[[int | None], Shapes]
) -> Fit | None:
    shape = state[prefix + last].shape
    expected = shapes_for(int(shape[0]) if len(shape) else None)
    matched = {name: state[prefix + name] for name in expected if prefix + name in state}
    if any(name not in matched and not name.endswith(_COUNTER) for name in expected):
        return None
    if any(tuple(tensor.shape) != expected[name] for name, tensor in matched.items()):
        return None
    used = {prefix + name for name in matched}
    return Fit(where, prefix, matched, tuple(name for name in state if name not in used))


def _distinct(found: list[Fit]) -> list[Fit]:
    """Drop fits with the same tensors as another one."""
    kept: list[Fit] = []
    for one in found:
        if not any(_same(one.state, other.state) for other in kept):
            kept.append(one)
    return kept


def _same(one: StateDict, other: StateDict) -> bool:
    import torch

    def equal(a: "Tensor", b: "Tensor") -> bool:
        return a.shape == b.shape and bool(torch.equal(a, b))

    return all(name in other and equal(tensor, other[name]) for name, tensor in one.items())


def _only(found: list[Fit], path: Path) -> Fit | None:
    if len(found) > 1:
        places = ", ".join(
            f"{parameter('key', one.key or '(top)')} {parameter('prefix', one.prefix or '(none)')}"
            for one in found[:_MOST]
        )
        raise ModelError(f"{path}: {len(found)} different parts of it match this network: {places}; choose one")
    return found[0] if found else None
