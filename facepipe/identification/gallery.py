"""The gallery: known people, each with the embeddings of one or more images."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np

from facepipe.embedding import Embeddings, join, people
from facepipe.errors import EmbeddingsError
from facepipe.files import Mark, canonical
from facepipe.identification.confidence import confidence_kind
from facepipe.identification.remark import Remark
from facepipe.score.cosine import cosine
from facepipe.score.pool import pool

UNKNOWN = "unknown"
"""What a face that is nobody of the gallery is called; nobody in a gallery can have this name."""
POOLING = ("mean", "confidence")
SAME_PICTURE = 0.99
"""Cosine from which on two images are one picture."""


@dataclass(frozen=True)
class Gallery:
    """Known people.

    A gallery is nothing but embeddings whose paths are ``person/image``: every image is kept, so that a person or an
    image can be added and removed at any time, and several images are pooled when the gallery is used. The person is
    all before the last ``/``, since a name may hold one.

    Attributes:
        images: one row per image.
        marks: ``person/image`` → what the file was like that it was built from; images that were added otherwise have
            none.

    Raises:
        EmbeddingsError: a row has no path, no folder, or belongs to somebody called ``unknown``.
    """

    images: Embeddings
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.images.paths) != len(self.images):
            raise EmbeddingsError("the embeddings of a gallery need paths of the form person/image")
        if UNKNOWN in self.names:
            raise EmbeddingsError(f"nobody can be called {UNKNOWN!r} in a gallery; rename the folder")

    @cached_property
    def _people(self) -> tuple[tuple[str, ...], np.ndarray]:
        each = [person_of(path) for path in self.images.paths]
        names = sorted(set(each))
        number = {name: index for index, name in enumerate(names)}
        return tuple(names), np.array([number[name] for name in each], np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The people, in alphabetical order."""
        return self._people[0]

    @property
    def owners(self) -> np.ndarray:
        """int64 N: of each image the person, as an index into ``names``."""
        return self._people[1]

    def counts(self) -> np.ndarray:
        """int64: how many images each person has."""
        return np.bincount(self.owners, minlength=len(self.names))

    def templates(self, pooling: str = "confidence") -> Embeddings:
        """One embedding per person, under the person's name.

        Args:
            pooling: ``mean`` of the images' unit vectors, or weighted by ``confidence`` (see `confidence_kind`).

        Raises:
            EmbeddingsError: unknown pooling.
        """
        if pooling not in POOLING:
            raise EmbeddingsError(f"pooling {pooling!r} is unknown; choose one of {', '.join(POOLING)}")
        rule = "mean" if pooling == "mean" else confidence_kind(self.images)
        return pool(self.images, self.owners, rule, count=len(self.names)).with_paths(self.names)


def person_of(path: str) -> str:
    """The person to whom an image belongs, all before the last ``/``, in the form NFC whatever the file holds.

    Raises:
        EmbeddingsError: the path has no folder.
    """
    name = people.person_of_row(path)
    if not name:
        raise EmbeddingsError(f"{path}: belongs to nobody; a gallery needs paths of the form person/image")
    return name


def merge(galleries: Sequence[Gallery], tell: Callable[[Remark], None] = lambda _: None) -> Gallery:
    """The people and images of all, a person's images together.

    Two images of one path are both kept, the second one with a number in its name; of the same picture under one path
    the later one stays.

    Args:
        galleries: of one model.
        tell: is given a remark on each image that got a number or replaced another.

    Raises:
        EmbeddingsError: they were made by different models, or there is none.
    """
    images = join([gallery.images for gallery in galleries])
    row_of: dict[str, int] = {}
    for row, path in enumerate(map(canonical, images.paths)):
        taken = row_of.get(path)
        if taken is None:
            row_of[path] = row
        elif cosine(images.mu[taken : taken + 1], images.mu[row : row + 1])[0] >= SAME_PICTURE:
            row_of[path] = row
            tell(Remark("replaced", path, "the same picture was there under this name; the later one stays"))
        else:
            other = apart(path, row_of.keys())
            row_of[other] = row
            tell(Remark("renamed", other, f"another {path} was there; both are kept"))
    paths = sorted(row_of, key=lambda path: (person_of(path), row_of[path]))
    kept = images.take(np.array([row_of[path] for path in paths], np.int64))
    marks = [gallery.marks.get(path) for gallery in galleries for path in gallery.images.paths]
    known = {path: mark for path in paths if (mark := marks[row_of[path]]) is not None}
    return Gallery(replace(kept, paths=tuple(paths), roots=()), known)


def apart(path: str, taken: Collection[str]) -> str:
    """``path``, with a number behind its stem where it is taken."""
    (person, slash, image), number, free = path.rpartition("/"), 1, path
    while free in taken:
        number += 1
        free = f"{person}{slash}{PurePosixPath(image).stem}_{number}{PurePosixPath(image).suffix}"
    return free


def without(gallery: Gallery, what: str) -> Gallery:
    """The gallery without a person, or without one image (``person/image``).

    Names are compared in the form NFC, and bytes that are no UTF-8 in the escaped form in which they are kept.

    Raises:
        EmbeddingsError: there is no such person or image.
    """
    name = stored_name(what)
    keep = [name not in (canonical(path), person_of(path)) for path in gallery.images.paths]
    if all(keep):
        raise EmbeddingsError(f"{what}: no such person or image in the gallery; see 'facepipe gallery list'")
    left = replace(gallery.images.take(np.array(keep, bool)), failed=())
    return Gallery(left, {path: gallery.marks[path] for path in left.paths if path in gallery.marks})


def stored_name(name: str) -> str:
    """How a gallery keeps a name: NFC, and bytes that are no UTF-8 escaped, since Parquet holds text."""
    return canonical(name.encode("utf-8", "backslashreplace").decode())
