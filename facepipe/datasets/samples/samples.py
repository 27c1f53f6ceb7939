"""Labelled face crops, read on demand: the common form of all training sources."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import DatasetError, FacepipeError

UNLABELLED = -1
"""Label of an image of unknown identity."""
READ_OF_MANY = 256
"""Number of images that `contents_digest` reads from sets larger than a gigabyte or in an object store."""
_READ_WHOLE = 1 << 30


def _nothing(_: int) -> Mapping[str, Any]:
    return {}


def _unknown(_: int) -> int:
    return -1


@dataclass(frozen=True)
class Samples:
    """N labelled images, of which only locations and labels are in memory.

    Attributes:
        where: name of the source in messages.
        labels: int64, N; index into ``identities``, or ``UNLABELLED`` (see ``unlabelled``).
        identities: names of the classes, in the order of the labels.
        read: returns the encoded bytes of image ``i``; raises OSError or FacepipeError on failure.
        key: name of image ``i`` in messages.
        notes: messages about what was left out.
        about: metadata of image ``i``, such as ``age``, ``sex``, ``origin`` and ``source``, read on demand; may be
            empty.
        size: size of image ``i`` in bytes if it is known without reading it, else −1.
    """

    where: str
    labels: np.ndarray
    identities: Sequence[str]
    read: Callable[[int], bytes]
    key: Callable[[int], str]
    notes: tuple[str, ...] = ()
    about: Callable[[int], Mapping[str, Any]] = _nothing
    size: Callable[[int], int] = _unknown

    def __len__(self) -> int:
        return len(self.labels)


def take(samples: Samples, positions: np.ndarray) -> Samples:
    """The samples at ``positions`` (integers), with classes renumbered; ``UNLABELLED`` is unchanged."""
    positions = np.asarray(positions, dtype=np.int64)
    kept, labels = np.unique(samples.labels[positions], return_inverse=True)
    if len(kept) and kept[0] == UNLABELLED:
        kept, labels = kept[1:], labels - 1
    return replace(
        samples,
        labels=labels.astype(np.int64),
        identities=[samples.identities[identity] for identity in kept],
        read=lambda index: samples.read(int(positions[index])),
        key=lambda index: samples.key(int(positions[index])),
        about=lambda index: samples.about(int(positions[index])),
        size=lambda index: samples.size(int(positions[index])),
    )


def join_samples(parts: Sequence[Samples]) -> Samples:
    """Join the samples of several sources, whose identities count as different people.

    Otherwise two sources that number people from 0 would be merged by accident; a name that occurs in several
    sources is prefixed with the number of its source.
    """
    if len(parts) == 1:
        return parts[0]
    first_class = np.cumsum([0, *(len(part.identities) for part in parts)])
    labels = [
        np.where(part.labels == UNLABELLED, UNLABELLED, part.labels + first)
        for part, first in zip(parts, first_class, strict=False)
    ]
    return concatenate_samples(parts, labels, _distinct(parts))


def concatenate_samples(
    parts: Sequence[Samples], labels: Sequence[np.ndarray], identities: Sequence[str]
) -> Samples:
    """Concatenate the images of several sources, with the given labels (one array per source) and identities."""
    read, key, about, size = _readers(parts)
    return Samples(
        where=", ".join(part.where for part in parts),
        labels=np.concatenate(labels),
        identities=identities,
        read=read,
        key=key,
        notes=tuple(note for part in parts for note in part.notes),
        about=about,
        size=size,
    )


def _readers(
    parts: Sequence[Samples],
) -> tuple[
    Callable[[int], bytes], Callable[[int], str], Callable[[int], Mapping[str, Any]], Callable[[int], int]
]:
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

    def size(index: int) -> int:
        part, inside = locate(index)
        return part.size(inside)

    return read, key, about, size


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
    """SHA-256 over labels and identity names: runs with the same value train on the same classes."""
    digest = hashlib.sha256(np.ascontiguousarray(samples.labels, dtype="<i8").tobytes())
    digest.update("\0".join(samples.identities).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def contents_digest(samples: Samples) -> str:
    """SHA-256 over the contents of the images, prefixed with ``all:`` or ``some:``.

    All bytes for sets of up to a gigabyte; for larger sets all known sizes, and the bytes of 256 evenly spaced images.
    It detects other images with the same names, and does not depend on location or modification time.
    """
    digest = hashlib.sha256()
    sizes = np.array([samples.size(index) for index in range(len(samples))], dtype="<i8")
    digest.update(sizes.tobytes())
    whole = bool((sizes >= 0).all()) and int(sizes.sum()) <= _READ_WHOLE
    count = len(samples) if whole else min(len(samples), READ_OF_MANY)
    for index in np.unique(np.linspace(0, len(samples) - 1, count).astype(np.int64)):
        try:
            data = samples.read(int(index))
        except (OSError, FacepipeError):  # counted during training
            data = b""
        digest.update(hashlib.sha256(data).digest())
    return ("all:" if whole else "some:") + digest.hexdigest()


def same_contents(first: str, second: str) -> bool:
    """Whether two results of `contents_digest` are compatible; ``all:`` and ``some:`` cannot be compared."""
    return first.partition(":")[0] != second.partition(":")[0] or first == second


def size_of(path: Path) -> int:
    """Size of a file in bytes, −1 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def from_names(
    where: str,
    names: Sequence[str],
    read: Callable[[int], bytes],
    key: Callable[[int], str],
    notes: tuple[str, ...] = (),
    size: Callable[[int], int] = _unknown,
) -> Samples:
    """Samples from one identity name per image; classes are numbered in the sorted order of the names.

    Raises:
        DatasetError: there are no images.
    """
    if not len(names):
        raise DatasetError(f"{where}: has no labelled images; check the path and the layout")
    identities = sorted(set(names))
    number = {name: index for index, name in enumerate(identities)}
    labels = np.fromiter((number[name] for name in names), dtype=np.int64, count=len(names))
    return Samples(where, labels, identities, read, key, notes, size=size)
