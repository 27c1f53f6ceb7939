"""WebDataset tar shards: KEY.webp and KEY.json with ``identity`` (or KEY.cls with a number).

Other fields of the JSON, such as age, sex and origin, are in `Samples.about`. The headers of a shard are scanned once;
after that a sample takes one seek and one read, and nothing is unpacked. An index entry takes less than 40 bytes.
"""

import json
import os
import tarfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

import numpy as np

from facepipe.datasets.samples.samples import UNLABELLED, Samples
from facepipe.datasets.samples.shard_groups import (
    NOWHERE,
    Label,
    Labelled,
    ShardGroups,
    Span,
    is_foreign,
    is_image_member,
)
from facepipe.datasets.samples.spans import Spans
from facepipe.errors import DatasetError
from facepipe.files.stored import StoredPath, as_path
from facepipe.tables import counted

BLOCK = 512
_T = TypeVar("_T")
LABELS = (".json", ".cls")
MAX_LABEL_BYTES = 1 << 20


class Index:
    """The locations of the samples of all shards."""

    def __init__(self, labelled: bool | None) -> None:
        self.labelled = labelled
        self.shard = array("i")
        self.offset = array("q")
        self.size = array("i")
        self.label = array("i")
        self.sidecar = array("q")
        self.sidecar_size = array("i")
        self.numbers: dict[str, int] = {}
        self.unlabelled = 0
        self.foreign = 0

    def name(self, member: tarfile.TarInfo) -> None:
        """Called with each image before it is added; ignored here, since samples need no names."""

    def add(self, shard: int, found: Iterable[Labelled]) -> None:
        for image, label in found:
            if self.labelled and label.identity is None:
                self.unlabelled += 1
                continue
            self.shard.append(shard)
            self.offset.append(image.offset)
            self.size.append(image.size)
            known = self.labelled is not False and label.identity is not None
            number = self.numbers.setdefault(label.identity or "", len(self.numbers)) if known else UNLABELLED
            self.label.append(number)
            self.sidecar.append(label.about.offset)
            self.sidecar_size.append(label.about.size)


def open_shards(
    paths: Sequence[str | os.PathLike[str]], cut: str = "refuse", labelled: bool | None = True
) -> Samples:
    """Index tar shards; the same identity in several shards is one person.

    Args:
        paths: the ``.tar`` files.
        cut: for a truncated shard: ``refuse`` it, or ``use`` its complete samples.
        labelled: True uses only labelled images; False uses all images as ``UNLABELLED``, ignoring labels; None uses
            all images, those without a label as ``UNLABELLED``.

    Raises:
        DatasetError: a shard is unreadable, compressed or truncated, or has no labelled image.
    """
    files = sorted(as_path(path) for path in paths)
    where = os.path.dirname(files[0]) if len(files) > 1 else str(files[0])  # noqa: PTH120, of an address too
    index = Index(labelled)
    notes = []
    for number, file in enumerate(files):
        problem = scan_shard(file, number, index)
        if problem and cut != "use":
            raise DatasetError(f"{problem}; download it again, or set data.cut_shards = 'use' to use the rest")
        if problem:
            notes.append(f"{problem}; the samples before that are used")
    if index.unlabelled:
        notes.append(f"{where}: {counted(index.unlabelled, 'image without an identity')} left out")
    if index.foreign:
        notes.append(f"{where}: {counted(index.foreign, 'metadata file of macOS')} left out")
    if not index.label and not labelled:
        raise DatasetError(f"{where}: has no images; check the path")
    if not index.label:
        raise DatasetError(f'{where}: has no labelled images; each KEY.webp needs a KEY.json with "identity"')
    return _samples(where, files, index, tuple(notes))


def _samples(where: str, files: list[Path], index: Index, notes: tuple[str, ...]) -> Samples:
    columns = index.shard, index.offset, index.size, index.sidecar, index.sidecar_size
    shard, offset, size, sidecar, sidecar_size = map(np.array, columns)
    identities = sorted(index.numbers)
    rank = np.empty(len(identities), dtype=np.int64)
    rank[[index.numbers[name] for name in identities]] = np.arange(len(identities))
    label = np.array(index.label, dtype=np.int64)
    labels = np.where(label == UNLABELLED, UNLABELLED, rank[label]) if identities else label
    spans = Spans(files)

    def read(i: int) -> bytes:
        return spans.read(int(shard[i]), int(offset[i]), int(size[i]))

    def key(i: int) -> str:
        return f"{files[shard[i]]}, byte {offset[i]}"

    def about(i: int) -> dict[str, Any]:
        return _fields(spans.read(int(shard[i]), int(sidecar[i]), int(sidecar_size[i]))) if sidecar_size[i] else {}

    # In an object store each image is a request, so the digest must not read all of them: leave sizes unknown.
    is_local = not any(isinstance(file, StoredPath) for file in files)
    known = {"size": lambda i: int(size[i])} if is_local else {}
    return Samples(where, labels, identities, read, key, notes, about, **known)


def scan_shard(file: Path, number: int, index: Index) -> str:
    """Add the samples of one shard; returns a message if it is truncated, else an empty string."""
    try:
        with file.open("rb") as stream:
            if stream.read(2) == b"\x1f\x8b":
                raise DatasetError(f"{file}: compressed; samples are read by offset, so decompress it first")
            stream.seek(0)
            return _scan_members(file, stream, number, index)
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror or error})") from error


def _scan_members(file: Path, stream: BinaryIO, number: int, index: Index) -> str:
    size, end = file.size() if isinstance(file, StoredPath) else file.stat().st_size, 0
    groups = ShardGroups(index.labelled is True)
    try:
        with _checked(lambda: tarfile.open(fileobj=stream, mode="r:")) as tar:
            while (member := _checked(tar.next)) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # do not keep a million members in memory
                data_end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                # A negative size would lead back to a member already seen.
                if member.size < 0 or data_end > size:
                    index.add(number, groups.truncate(member))
                    return f"{file}: truncated in {member.name} (byte {size})"
                end = data_end
                index.add(number, _member(stream, member, groups, index))
    except tarfile.TarError as error:
        if not end:
            raise DatasetError(f"{file}: not a tar shard ({error})") from error
        index.add(number, groups.end())
        return f"{file}: truncated near byte {size}"
    index.add(number, groups.end())
    stream.seek(end)
    # tarfile takes a bad or missing header for the end; a complete archive ends with a block of zeros.
    complete = stream.read(BLOCK) == bytes(BLOCK)
    return "" if complete else f"{file}: truncated after byte {end}"


def _checked(read: Callable[[], _T]) -> _T:
    try:
        return read()
    # tarfile reads a long name at once, whatever size its header claims.
    except (ValueError, OverflowError, MemoryError) as error:
        raise tarfile.ReadError("a header claims an impossible size") from error


def _member(
    stream: BinaryIO, member: tarfile.TarInfo, groups: ShardGroups, index: Index
) -> Iterator[Labelled]:
    """Process a member; yields the samples that it completes."""
    suffix = PurePosixPath(member.name).suffix.lower()
    if not member.isfile() or is_foreign(member):
        index.foreign += member.isfile()
    elif is_image_member(member):
        index.name(member)
        yield from groups.image(member)
    elif suffix in LABELS and member.size <= MAX_LABEL_BYTES:
        about = Span(member.offset_data, member.size) if suffix == ".json" else NOWHERE
        identity = _identity(_member_bytes(stream, member), suffix)
        yield from groups.label(member, Label(identity, about))


def _member_bytes(stream: BinaryIO, member: tarfile.TarInfo) -> bytes:
    stream.seek(member.offset_data)
    return stream.read(member.size)


def _identity(data: bytes, suffix: str) -> str | None:
    """The identity in a label file; None if it is damaged or has none."""
    if suffix == ".cls":
        try:
            return data.decode().strip() or None
        except ValueError:
            return None
    fields = _fields(data)
    value = fields.get("identity", fields.get("label"))
    return None if value is None or value == "" else str(value)


def _fields(data: bytes) -> dict[str, Any]:
    """Parse a JSON object; empty if it is damaged or not an object."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
