"""Labelled face crops that are read when asked for: what every training source turns into."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.errors import DatasetError

NOBODY = -1
"""Label of an image whose identity is not known."""


def _nothing(_: int) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Samples:
    """N labelled images, of which only places and labels are in memory.

    Attributes:
        where: what to call the source in messages.
        labels: int64, N; an index into ``identities``, or ``NOBODY`` (see ``unlabelled``).
        identities: one name for each class, in the order of the labels.
        read: encoded bytes of image ``i``; raises OSError or FacepipeError when they cannot be had.
        key: name of image ``i``, for messages.
        notes: sentences about what was left out while the source was read.
        about: what is written beside image ``i``, such as ``age``, ``sex``, ``origin`` and ``source``; empty where
            nothing is. It is read when asked for.
    """

    where: str
    labels: np.ndarray
    identities: Sequence[str]
    read: Callable[[int], bytes]
    key: Callable[[int], str]
    notes: tuple[str, ...] = ()
    about: Callable[[int], Mapping[str, Any]] = _nothing

    def __len__(self) -> int:
        return len(self.labels)


def take(samples: Samples, positions: np.ndarray) -> Samples:
    """The samples at ``positions`` (integers), with classes numbered anew; ``NOBODY`` stays so."""
    positions = np.asarray(positions, dtype=np.int64)
    kept, labels = np.unique(samples.labels[positions], return_inverse=True)
    if len(kept) and kept[0] == NOBODY:
        kept, labels = kept[1:], labels - 1
    return replace(
        samples,
        labels=labels.astype(np.int64),
        identities=[samples.identities[identity] for identity in kept],
        read=lambda index: samples.read(int(positions[index])),
        key=lambda index: samples.key(int(positions[index])),
        about=lambda index: samples.about(int(positions[index])),
    )


def join(parts: Sequence[Samples]) -> Samples:
    """All samples of several sources. Identities of different sources count as different people.

    Two sources that number people from 0 would otherwise be merged by accident; a name that occurs twice
    gets the number of its source in front.
    """
    if len(parts) == 1:
        return parts[0]
    first_class = np.cumsum([0, *(len(part.identities) for part in parts)])
    labels = [
        np.where(part.labels == NOBODY, NOBODY, part.labels + first)
        for part, first in zip(parts, first_class, strict=False)
    ]
    return after_each_other(parts, labels, _distinct(parts))


def after_each_other(
    parts: Sequence[Samples], labels: Sequence[np.ndarray], identities: Sequence[str]
) -> Samples:
    """The images of several sources in order, under these labels (one array for each source) and identities."""
    read, key, about = _readers(parts)
    return Samples(
        where=", ".join(part.where for part in parts),
        labels=np.concatenate(labels),
        identities=identities,
        read=read,
        key=key,
        notes=tuple(note for part in parts for note in part.notes),
        about=about,
    )


def _readers(
    parts: Sequence[Samples],
) -> tuple[Callable[[int], bytes], Callable[[int], str], Callable[[int], Mapping[str, Any]]]:
    starts = np.cumsum([0, *(len(part) for part in parts)])

    def locate(index: int) -> tuple[Samples, int]:
        which = int(np.searchsorted(starts, index, side="right")) - 1
        return parts[which], index - int(starts[which])

    def read(index: int) -> bytes:
        part, inside = locate(index)
        return part.read(inside)

    def key(index: int) -> str:
        part, inside = locate(index)
        return part.key(inside)

    def about(index: int) -> Mapping[str, Any]:
        part, inside = locate(index)
        return part.about(inside)

    return read, key, about


def _distinct(parts: Sequence[Samples]) -> list[str]:
    counts: dict[str, int] = {}
    for part in parts:
        for name in part.identities:
            counts[name] = counts.get(name, 0) + 1
    return [
        name if counts[name] == 1 else f"{number}:{name}"
        for number, part in enumerate(parts)
        for name in part.identities
    ]


def fingerprint(samples: Samples) -> str:
    """SHA-256 over labels and identity names: two runs with the same value train on the same classes."""
    digest = hashlib.sha256(np.ascontiguousarray(samples.labels, dtype="<i8").tobytes())
    digest.update("\0".join(samples.identities).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def from_names(
    where: str,
    names: Sequence[str],
    read: Callable[[int], bytes],
    key: Callable[[int], str],
    notes: tuple[str, ...] = (),
) -> Samples:
    """Samples from one identity name per image; classes are numbered in the sorted order of the names.

    Raises:
        DatasetError: there is no image at all.
    """
    if not len(names):
        raise DatasetError(f"{where}: no labelled image in it; check the path and the layout")
    identities = sorted(set(names))
    number = {name: index for index, name in enumerate(identities)}
    labels = np.fromiter((number[name] for name in names), dtype=np.int64, count=len(names))
    return Samples(where, labels, identities, read, key, notes)
