"""Match the labels of a shard with its images.

WebDataset uses the part of a name before the first dot as the key of a sample. Real shards also have several images per
key, keys with dots, labels after all images, and metadata files of macOS. An image gets the label with its full name,
else the only label of its key.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from facepipe.images import EXTENSIONS


class Span(NamedTuple):
    """A range of bytes in a shard."""

    offset: int
    size: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True)
class Label:
    """The contents of an image's label files.

    Attributes:
        identity: the person, or None.
        about: location of the JSON; of size 0 if there is none.
    """

    identity: str | None = None
    about: Span = NOWHERE

    def merged(self, other: "Label") -> "Label":
        """Both combined; ``other`` takes precedence."""
        return Label(other.identity or self.identity, other.about if other.about.size else self.about)


class Labelled(NamedTuple):
    """An image with its label."""

    image: Span
    label: Label


@dataclass
class _Key:
    images: list[tuple[str, Span]] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)

    def label_of(self, name: str) -> Label:
        exact = self.labels.get(name)
        if exact is not None:
            return exact
        return next(iter(self.labels.values())) if len(self.labels) == 1 else Label()


class ShardGroups:
    """Processes the members of a shard in order, and yields images with labels once their key is complete.

    Only images whose key has no label are kept until the end of the shard.
    """

    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        self._key = ""
        self._open = _Key()
        self._waiting: dict[str, _Key] = {}

    def image(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
        """Add an image."""
        yield from self._change_key(member)
        self._open.images.append((_name(member), Span(member.offset_data, member.size)))

    def label(self, member: tarfile.TarInfo, label: Label) -> Iterator[Labelled]:
        """Add a label file."""
        yield from self._change_key(member)
        name = _name(member)
        self._open.labels[name] = self._open.labels.get(name, Label()).merged(label)

    def truncate(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
        """End a shard that is truncated in ``member``, whose incomplete key is dropped."""
        if key_of(member) == self._key:
            self._open = _Key()
        yield from self.end()

    def end(self) -> Iterator[Labelled]:
        """End the shard."""
        yield from self._close()
        for key in self._waiting.values():
            yield from ((Labelled(image, key.label_of(name))) for name, image in key.images)
        self._waiting = {}

    def _change_key(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
        key = key_of(member)
        if key != self._key:
            yield from self._close()
            self._key = key

    def _close(self) -> Iterator[Labelled]:
        closing, self._open = self._open, _Key()
        rest = []
        for name, image in closing.images:
            label = closing.label_of(name)
            if label.identity or not self.labelled:
                yield Labelled(image, label)
            else:
                rest.append((name, image))
        if rest or (closing.labels and not closing.images):
            waiting = self._waiting.setdefault(self._key, _Key())
            waiting.images += rest
            waiting.labels |= closing.labels


def key_of(member: tarfile.TarInfo) -> str:
    """The folder, and the name up to its first dot."""
    folder, _, name = member.name.rpartition("/")
    return f"{folder}/{name.split('.', 1)[0]}"


def is_image_member(member: tarfile.TarInfo) -> bool:
    """Whether a member is an image, by its extension."""
    return PurePosixPath(member.name).suffix.lower() in EXTENSIONS


def is_foreign(member: tarfile.TarInfo) -> bool:
    """Whether it is a metadata file of macOS: ``._name``, or in ``__MACOSX``."""
    path = PurePosixPath(member.name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


def _name(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[0]
