"""Finding, in whatever others have saved, the tensors that are a network's: by their names' ends and their shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.errors import ModelError
from facepipe.parameters import parameter
from facepipe.zoo.checkpoint import StateDict, is_state

if TYPE_CHECKING:
    from torch import Tensor

_MOST, _DEPTH = 8, 2
_COUNTER = "num_batches_tracked"  # counted since torch 0.4.1 only, and for training only

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Fit:
    """Tensors of a checkpoint that are a network's.

    Attributes:
        key: where the state dict lies, dots between the parts; empty at the top.
        prefix: of the names, with the dot; empty without one.
        state: the tensors under the network's own names.
        left_out: names of the other tensors of that state dict.
    """

    key: str
    prefix: str
    state: StateDict
    left_out: tuple[str, ...]

    def message(self) -> str:
        """What was left out, in one line; empty where nothing was."""
        if not self.left_out:
            return ""
        groups = sorted({name.split(".")[0] for name in self.left_out})
        more = ", …" if len(groups) > _MOST else ""
        message = f"{len(self.left_out)} tensors are not the network's and were left out"
        return f"{message}: {', '.join(groups[:_MOST])}{more}"


def fit_network(
    loaded: Any, path: Path, shapes_for: Callable[[int | None], Shapes], key: str | None, prefix: str | None
) -> Fit | None:
    """The part of a checkpoint that has every tensor of a network, in its shapes.

    Args:
        loaded: from `facepipe.zoo.checkpoint.read_checkpoint`.
        path: of the file, for messages.
        shapes_for: length of the embedding (None: the network's own) → name and shape of each tensor; the last of
            them has one number, or row, for each entry of the embedding.
        key: where the state dict lies; None looks everywhere.
        prefix: of the names; None tries all.

    Returns:
        None where nothing fits.

    Raises:
        ModelError: several parts fit, and their tensors differ; or nothing lies under ``key`` or ``prefix``.
    """
    tables = [(where, state) for where, state in _tables(loaded, "", _DEPTH) if key in (None, where)]
    if key is not None and not tables:
        known = ", ".join(where for where, _ in _tables(loaded, "", _DEPTH) if where) or "none below the top"
        raise ModelError(f"{path}: no state dict under key {key!r}; there are {known}")
    last = [name for name in shapes_for(None) if not name.endswith(_COUNTER)][-1]
    found = [
        one
        for where, state in tables
        for start in _prefixes(state, last)
        if prefix in (None, start, start.rstrip("."))
        and (one := _fitted(where, start, state, last, shapes_for)) is not None
    ]
    if prefix is not None and not found:
        some = ", ".join(repr(start) for _, state in tables for start in _prefixes(state, last)) or "none"
        raise ModelError(f"{path}: no tensors that fit under prefix {prefix!r}; prefixes of {last} there: {some}")
    return _only(_different(found), path)


def _tables(loaded: Any, where: str, depth: int) -> Iterator[tuple[str, StateDict]]:
    """Every dictionary of tensors, with its place; other values beside the tensors are passed over."""
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
    wanted = shapes_for(int(shape[0]) if len(shape) else None)
    own = {name: state[prefix + name] for name in wanted if prefix + name in state}
    if any(name not in own and not name.endswith(_COUNTER) for name in wanted):
        return None
    if any(tuple(tensor.shape) != wanted[name] for name, tensor in own.items()):
        return None
    taken = {prefix + name for name in own}
    return Fit(where, prefix, own, tuple(name for name in state if name not in taken))


def _different(found: list[Fit]) -> list[Fit]:
    """Without those whose tensors are those of another one."""
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
        raise ModelError(f"{path}: {len(found)} parts of it fit this network and differ: {places}; say which one")
    return found[0] if found else None
