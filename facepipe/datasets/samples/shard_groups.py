"""Which label belongs to which image of a shard.

WebDataset takes what stands before the first dot of a name as the key of a sample. Shards as people have them also hold
several images under one key, keys with dots in them, labels that follow only after all images, and files that a Mac
put between. An image takes the label of its own name, else the only label of its key.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from facepipe.images import EXTENSIONS


class Span(NamedTuple):
    """Where bytes lie in a shard."""

    offset: int
    size: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True)
class Label:
    """What label files say of an image.

    Attributes:
        identity: the person; None where none is named.
        about: where the JSON lies; of size 0 where there is none.
    """

    identity: str | None = None
    about: Span = NOWHERE

    def and_also(self, other: "Label") -> "Label":
        """Both together, the later where both say something."""
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
        own = self.labels.get(name)
        if own is not None:
            return own
        return next(iter(self.labels.values())) if len(self.labels) == 1 else Label()


class ShardGroups:
    """Takes the members of one shard in order, and gives images with labels as soon as their key is complete.

    Images whose key brought no label wait to the end of the shard; nothing else is kept.
    """

    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        self._key = ""
        self._open = _Key()
        self._waiting: dict[str, _Key] = {}

    def image(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
        """One image more."""
        yield from self._turn_to(member)
        self._open.images.append((_name(member), Span(member.offset_data, member.size)))

    def label(self, member: tarfile.TarInfo, label: Label) -> Iterator[Labelled]:
        """One label file more."""
        yield from self._turn_to(member)
        name = _name(member)
        self._open.labels[name] = self._open.labels.get(name, Label()).and_also(label)

    def cut(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
        """The shard ends in the middle of ``member``: its key is incomplete and is left out."""
        if key_of(member) == self._key:
            self._open = _Key()
        yield from self.end()

    def end(self) -> Iterator[Labelled]:
        """The shard is over."""
        yield from self._close()
        for key in self._waiting.values():
            yield from ((Labelled(image, key.label_of(name))) for name, image in key.images)
        self._waiting = {}

    def _turn_to(self, member: tarfile.TarInfo) -> Iterator[Labelled]:
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
    """Whether a member is a picture, by its extension."""
    return PurePosixPath(member.name).suffix.lower() in EXTENSIONS


def is_foreign(member: tarfile.TarInfo) -> bool:
    """Whether a Mac put it there: ``._name`` beside each file, and a folder of its own."""
    path = PurePosixPath(member.name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


def _name(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[0]
