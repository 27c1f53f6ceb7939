"""The gallery: known people with the embeddings of one or more images each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np

from facepipe.embedding import Embeddings, join, people
from facepipe.errors import EmbeddingsError
from facepipe.files import Mark, canonical
from facepipe.identification.confidence import confidence_kind
from facepipe.score.cosine import cosine
from facepipe.score.pool import pool

UNKNOWN = "unknown"
"""Name of faces that match nobody in the gallery; not allowed as a person's name."""
POOLING = ("mean", "confidence")
SAME_PICTURE = 0.99
"""Cosine at which two images count as the same picture."""


@dataclass(frozen=True)
class Remark:
    """A remark on an image of a gallery that is worth checking.

    Attributes:
        kind: ``no_face`` (or unreadable; the image is left out), ``several_faces``, ``low_confidence``, ``duplicate``
            (scores 0.99 or more with an earlier image), ``resembles`` (most similar to an image of another person),
            ``damaged`` (damaged data; its content is unreliable), ``picture`` (other remarks of the reader, such as
            unread pages), ``renamed`` (another image had the same name and person; both are kept),
            ``replaced`` (the same picture existed under this name), ``folders`` (other folder levels seem to name the
            people), or ``mixed_precision`` and ``mixed_detectors`` for the gallery as a whole.
        path: ``person/image``.
        text: one line.
    """

    kind: str
    path: str
    text: str


@dataclass(frozen=True)
class Gallery:
    """Known people.

    A gallery is just embeddings with paths ``person/image``: every image is kept, so that people and images can be
    added and removed at any time, and several images are pooled when the gallery is used. The person is everything
    before the last ``/``, since names may contain one.

    Attributes:
        images: one row per image.
        marks: ``person/image`` → state of the file it was built from; images added otherwise have
            none.

    Raises:
        EmbeddingsError: a row has no path or no folder, or its person is named ``unknown``.
    """

    images: Embeddings
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.images.paths) != len(self.images):
            raise EmbeddingsError("the embeddings of a gallery need paths of the form person/image")
        if UNKNOWN in self.names:
            raise EmbeddingsError(f"{UNKNOWN!r} is not allowed as a person's name; rename the folder")

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
        """int64 N: the person of each image, as an index into ``names``."""
        return self._people[1]

    def counts(self) -> np.ndarray:
        """int64: number of images per person."""
        return np.bincount(self.owners, minlength=len(self.names))

    def templates(self, pooling: str = "confidence") -> Embeddings:
        """One embedding per person, with the person's name as path.

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
    """The person an image belongs to: everything before the last ``/``, normalised to NFC.

    Raises:
        EmbeddingsError: the path has no folder.
    """
    name = people.person_of_row(path)
    if not name:
        raise EmbeddingsError(f"{path}: has no person; a gallery needs paths of the form person/image")
    return name


def merge(galleries: Sequence[Gallery], note: Callable[[Remark], None] = lambda _: None) -> Gallery:
    """Merge galleries; the images of a person are kept together.

    Different images with the same path are both kept, the second with a number in its name; of the same picture with
    the same path the later one is kept.

    Args:
        galleries: of one model.
        note: called with a remark on each image that was numbered or replaced another.

    Raises:
        EmbeddingsError: they were made by different models, or there are none.
    """
    images = join([gallery.images for gallery in galleries])
    row_of: dict[str, int] = {}
    for row, path in enumerate(map(canonical, images.paths)):
        taken = row_of.get(path)
        if taken is None:
            row_of[path] = row
        elif cosine(images.mu[taken : taken + 1], images.mu[row : row + 1])[0] >= SAME_PICTURE:
            row_of[path] = row
            note(Remark("replaced", path, "the same picture existed under this name; the later one was kept"))
        else:
            other = unique_path(path, row_of.keys())
            row_of[other] = row
            note(Remark("renamed", other, f"there was another {path}; both are kept"))
    paths = sorted(row_of, key=lambda path: (person_of(path), row_of[path]))
    kept = images.take(np.array([row_of[path] for path in paths], np.int64))
    marks = [gallery.marks.get(path) for gallery in galleries for path in gallery.images.paths]
    known = {path: mark for path in paths if (mark := marks[row_of[path]]) is not None}
    return Gallery(replace(kept, paths=tuple(paths), roots=()), known)


def unique_path(path: str, taken: Collection[str]) -> str:
    """``path``, with a number appended to its stem if it is taken."""
    (person, slash, image), number, free = path.rpartition("/"), 1, path
    while free in taken:
        number += 1
        free = f"{person}{slash}{PurePosixPath(image).stem}_{number}{PurePosixPath(image).suffix}"
    return free


def without(gallery: Gallery, what: str) -> Gallery:
    """The gallery without a person, or without one image (``person/image``).

    Names are compared in NFC, with bytes that are not UTF-8 in their stored, escaped form.

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
    """A name as stored in a gallery: NFC, with bytes that are not UTF-8 escaped, since Parquet stores text."""
    return canonical(name.encode("utf-8", "backslashreplace").decode())
