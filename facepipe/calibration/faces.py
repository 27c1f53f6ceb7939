"""Faces with identities and metadata, for calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from facepipe.calibration.groups import group_of
from facepipe.datasets.samples.demographics import ADULT, age_of, image_source
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.tables import counted

_LARGEST = 4000
"""Most faces compared, all with all: eight million pairs."""


@dataclass(frozen=True)
class KnownFaces:
    """N faces.

    Attributes:
        embeddings: of N faces by one model.
        person: int64 N, identity numbers; each stranger is a person of its own.
        named: bool N, False for a stranger, who has no genuine pairs.
        child: bool N, True if the age is known to be below 20.
        group: N names of groups of similar people, see `group_of`; empty if none.
        source: N names of the sets they come from; empty if unnamed.
    """

    embeddings: Embeddings
    person: np.ndarray
    named: np.ndarray
    child: np.ndarray
    group: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> "KnownFaces":
        """The faces of these rows."""
        columns = (self.person, self.named, self.child, self.group, self.source)
        return KnownFaces(self.embeddings.take(rows), *(column[rows] for column in columns))


def known_faces(
    embeddings: Embeddings, names: Sequence[str | None], about: Sequence[Mapping[str, Any]] | None = None
) -> KnownFaces:
    """Faces with the names of their people.

    Args:
        embeddings: of N faces.
        names: of the person of each; None for a stranger, who appears only once.
        about: further metadata of each, such as ``age``, ``sex`` and ``origin``; None for nothing.

    Raises:
        DatasetError: the numbers of names and faces differ.
    """
    about = about if about is not None else [{}] * len(embeddings)
    if not len(embeddings) == len(names) == len(about):
        raise DatasetError(f"{counted(len(embeddings), 'face')}, but {len(names)} names and {len(about)} descriptions")
    named = np.array([name is not None for name in names], bool)
    number = {name: k for k, name in enumerate(sorted({name for name in names if name is not None}))}
    # Strangers are numbered after all named people.
    alone = iter(range(len(number), len(number) + len(names)))
    person = np.array([next(alone) if name is None else number[name] for name in names], np.int64)
    child = np.array([age_of(one) < ADULT for one in about], bool)
    group = np.array([group_of(one) for one in about], dtype=object)
    source = np.array([image_source(one) for one in about], dtype=object)
    return KnownFaces(embeddings, person, named, child, group, source)


def genuine_pairs(faces: KnownFaces, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of faces of the same named person, int64 rows; if there are very many faces, of a random subset."""
    rows = _some(np.flatnonzero(faces.named), _LARGEST, seed)
    rows = rows[np.argsort(faces.person[rows], kind="stable")]
    left, right = [], []
    for same in np.split(rows, np.flatnonzero(np.diff(faces.person[rows])) + 1):
        i, j = np.triu_indices(len(same), 1)
        left.append(same[i])
        right.append(same[j])
    return np.concatenate(left), np.concatenate(right)


class RandomPairs(NamedTuple):
    """All pairs of faces of different people in one set.

    Attributes:
        left, right: int64 M, rows.
        people: number of people.
    """

    left: np.ndarray
    right: np.ndarray
    people: int


def random_pairs(faces: KnownFaces, seed: int = 0) -> dict[str, RandomPairs]:
    """Pairs of different adults within each set: named people, and each source of strangers.

    Pairs across sets are left out: people from two sets differ more than people within one.

    Args:
        faces: the faces.
        seed: random seed for choosing faces of very large sets.
    """
    sets = {"people": faces.named & ~faces.child}
    for source in sorted(set(faces.source[~faces.named])):
        name = f"strangers ({source})" if source else "strangers"
        sets[name] = ~faces.named & ~faces.child & (faces.source == source)
    found = {name: _within(faces, _some(np.flatnonzero(mask), _LARGEST, seed)) for name, mask in sets.items()}
    return {name: pairs for name, pairs in found.items() if len(pairs.left)}


def _within(faces: KnownFaces, rows: np.ndarray) -> RandomPairs:
    left, right = (rows[side] for side in np.triu_indices(len(rows), 1))
    different = faces.person[left] != faces.person[right]
    return RandomPairs(left[different], right[different], len(np.unique(faces.person[rows])))


def _some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
