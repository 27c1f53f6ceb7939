"""MXNet RecordIO without mxnet: ``train.rec`` with ``train.idx`` and ``property``, as distributed by insightface.

A record is the magic number, a word of three flag bits and 29 length bits, the data, and zeros up to a
multiple of four. Where the magic number itself occurs in the data at a multiple of four, the writer splits the
record there and omits the number (flags: 1 first, 2 middle, 3 last part; 0 whole). The data of an image is a
header (uint32 flag, float32 label, uint64 id, uint64 id2), ``flag`` more float32 labels, and the file
(dmlc-core ``recordio.h``, mxnet ``recordio.py``). insightface's record 0 has two labels: the first key after the
images, and the first key after the identity records that follow them.
"""

import os
import struct
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from facepipe.datasets.samples.samples import Samples
from facepipe.datasets.samples.spans import Spans
from facepipe.errors import DatasetError
from facepipe.files import replacing, write_text

MAGIC = 0xCED7230A
HEADER = struct.Struct("<IfQQ")
_WORDS = struct.Struct("<II")


def open_recordio(path: str | os.PathLike[str]) -> Samples:
    """The images of a ``.rec`` file, or of ``train.rec`` in a folder; classes are numbered in label order.

    Raises:
        DatasetError: ``.rec`` or ``.idx`` is missing or malformed, the file is truncated, or a label is not an integer
            from 0 to below the class count in ``property``.
    """
    record = Path(path)
    record = record / "train.rec" if record.is_dir() else record
    keys, offsets = _read_index(record.with_suffix(".idx"))
    try:
        size = record.stat().st_size
    except OSError as error:
        raise DatasetError(f"{record}: cannot be read ({error.strerror}); check the path") from error
    if offsets.max() + _WORDS.size > size:
        raise DatasetError(
            f"{record}: truncated: {size} bytes, but {record.stem}.idx points to {offsets.max()}; "
            "download it again"
        )
    spans = Spans([record])
    bounds = np.append(np.unique(offsets), size)  # everything between two of them belongs to the first record
    offsets, labels = _images_and_labels(spans, keys, offsets)
    identities, numbers = np.unique(_whole_labels(record, labels), return_inverse=True)
    return Samples(
        where=str(record),
        labels=numbers.astype(np.int64),
        identities=[str(identity) for identity in identities],
        read=lambda index: _image(read_record(spans, int(offsets[index]))),
        key=lambda index: f"{record}, byte {offsets[index]}",
        size=lambda index: int(bounds[np.searchsorted(bounds, offsets[index], side="right")] - offsets[index]),
    )


def _read_index(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Keys, ascending, and byte offsets of an ``.idx`` file: lines of two integers."""
    try:
        if not path.stat().st_size:
            raise DatasetError(f"{path}: the file is empty; download it again")
        table = np.loadtxt(path, dtype=np.int64, ndmin=2)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read; a .rec file needs its .idx in the same folder") from error
    except ValueError as error:
        raise DatasetError(f"{path}: not an index of 'KEY<tab>OFFSET' lines; download it again") from error
    if not len(table) or table.shape[1] != 2:
        raise DatasetError(f"{path}: not an index of 'KEY<tab>OFFSET' lines; download it again")
    table = table[np.argsort(table[:, 0], kind="stable")]
    return table[:, 0], table[:, 1]


def _images_and_labels(spans: Spans, keys: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and labels of the image records."""
    first = _key_ranges(spans, int(offsets[0])) if keys[0] == 0 else None
    if first is None:  # written by im2rec: images only
        return offsets, np.array([read_labels(spans, int(offset))[0] for offset in offsets])
    end, last = first
    images = offsets[(keys > 0) & (keys < end)]
    gapless = len(keys) >= last > end > 1 and bool((keys[:last] == np.arange(last)).all())
    starts = _identity_starts(spans, offsets[end:last], end) if gapless else None
    if starts is not None:
        # One read per identity instead of one per image: MS1M has 68 images per identity.
        labels = [read_labels(spans, int(offsets[start]))[0] for start in starts]
        return images, np.repeat(labels, np.diff([*starts, end]))
    return images, np.array([read_labels(spans, int(offset))[0] for offset in images])


def _key_ranges(spans: Spans, offset: int) -> tuple[int, int] | None:
    """First keys after the images and after the identities, if this is insightface's record 0."""
    data = read_record(spans, offset)
    labels = _labels(data)
    return None if len(labels) < 2 or _image(data) else (int(labels[0]), int(labels[1]))


def _identity_starts(spans: Spans, offsets: np.ndarray, end: int) -> list[int] | None:
    """First key of each identity if their key ranges cover 1 ... end-1 in order; otherwise None."""
    starts = []
    expected = 1
    for offset in offsets:
        labels = read_labels(spans, int(offset))
        if len(labels) < 2 or int(labels[0]) != expected or labels[1] <= labels[0]:
            return None
        starts.append(expected)
        expected = int(labels[1])
    return starts if expected == end else None


def _whole_labels(record: Path, labels: np.ndarray) -> np.ndarray:
    """The labels as int64, checked."""
    if not len(labels):
        raise DatasetError(f"{record}: has no images; check the file")
    if not np.isfinite(labels).all() or labels.min() < 0 or (labels != np.floor(labels)).any():
        raise DatasetError(f"{record}: label {labels.min():g} is out of range; classes are numbered from 0")
    classes = _class_count(record)
    if classes is not None and labels.max() >= classes:
        raise DatasetError(
            f"{record}: label {labels.max():g} is out of range; property says {classes} classes, numbered from 0"
        )
    return labels.astype(np.int64)


def _class_count(record: Path) -> int | None:
    """The first field of ``property`` ("classes,height,width"), if the file exists."""
    for path in (record.parent / "property", record.with_suffix(".property")):
        if path.is_file():
            field = path.read_text(encoding="ascii", errors="replace").split(",")[0].strip()
            if not field.isdigit():
                raise DatasetError(f"{path}: should read 'CLASSES,HEIGHT,WIDTH', found {field[:40]!r}")
            return int(field)
    return None


def read_record(spans: Spans, offset: int) -> bytes:
    """The data of the record at ``offset``, with its parts joined.

    Raises:
        DatasetError: there is no record, or it is truncated.
    """
    parts = []
    while True:
        magic, word = _WORDS.unpack(spans.read(0, offset, _WORDS.size))
        if magic != MAGIC:
            raise DatasetError(f"{spans.paths[0]}: no record at byte {offset}; does the .idx belong to it?")
        flag, length = word >> 29, word & ((1 << 29) - 1)
        parts.append(spans.read(0, offset + _WORDS.size, length))
        if flag in (0, 3):
            return struct.pack("<I", MAGIC).join(parts)
        offset += _WORDS.size + length + (-length % 4)


def read_labels(spans: Spans, offset: int) -> np.ndarray:
    """The labels of the record at ``offset``, float64, at least one; reads only the header if possible."""
    head = spans.read(0, offset, _WORDS.size + HEADER.size)
    magic, word = _WORDS.unpack_from(head)
    if magic != MAGIC or word & ((1 << 29) - 1) < HEADER.size:
        return _labels(read_record(spans, offset))
    flag, label, _, _ = HEADER.unpack_from(head, _WORDS.size)
    return np.array([label], dtype=np.float64) if flag == 0 else _labels(read_record(spans, offset))


def _labels(data: bytes) -> np.ndarray:
    if len(data) < HEADER.size:
        raise DatasetError("a record is shorter than its header; the .rec file is damaged, download it again")
    flag, label, _, _ = HEADER.unpack_from(data)
    if flag == 0 or len(data) < HEADER.size + 4 * flag:
        return np.array([label], dtype=np.float64)
    return np.frombuffer(data, "<f4", count=flag, offset=HEADER.size).astype(np.float64)


def _image(data: bytes) -> bytes:
    flag = HEADER.unpack_from(data)[0] if len(data) >= HEADER.size else 0
    return data[HEADER.size + 4 * flag :]


def write_recordio(
    path: str | os.PathLike[str], images: Iterable[tuple[int, bytes]], size: tuple[int, int] = (112, 112)
) -> None:
    """Write (label, encoded image) pairs, sorted by label, in insightface's layout.

    Creates ``path`` (``.rec``), its ``.idx``, and ``property`` in the same folder.

    Raises:
        DatasetError: the labels are not ascending, or negative.
    """
    path = Path(path)
    pairs = list(images)
    labels = [label for label, _ in pairs]
    if labels != sorted(labels) or (labels and labels[0] < 0):
        raise DatasetError(f"{path}: images must be sorted by label, from 0 on")
    bounds = [0, *np.flatnonzero(np.diff(labels)) + 1, len(labels)]
    ranges = [(1 + int(a), 1 + int(b)) for a, b in pairwise(bounds)]
    end = len(pairs) + 1
    records = [_pack([end, end + len(ranges)], 0)]
    records += [HEADER.pack(0, label, key, 0) + image for key, (label, image) in enumerate(pairs, 1)]
    records += [_pack(bound, end + number) for number, bound in enumerate(ranges)]
    index = []
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for key, data in enumerate(records):
            index.append(f"{key}\t{stream.tell()}\n")
            stream.write(encode_record(data))
    write_text(path.with_suffix(".idx"), "".join(index))
    write_text(path.parent / "property", f"{max(labels, default=-1) + 1},{size[0]},{size[1]}\n")


def _pack(labels: Iterable[int], key: int) -> bytes:
    values = np.array(list(labels), dtype="<f4")
    return HEADER.pack(len(values), 0.0, key, 0) + values.tobytes()


def encode_record(data: bytes) -> bytes:
    """Encode one record, split where the magic number occurs in the data."""
    magic = struct.pack("<I", MAGIC)
    words = np.frombuffer(data[: len(data) // 4 * 4], dtype="<u4")
    cuts = (np.flatnonzero(words == MAGIC) * 4).tolist()
    starts = [0, *(cut + 4 for cut in cuts)]
    ends = [*cuts, len(data)]
    pieces = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        flag = 0 if not cuts else 1 if number == 0 else 3 if number == len(cuts) else 2
        part = data[start:end]
        pieces.append(magic + struct.pack("<I", flag << 29 | len(part)) + part + bytes(-len(part) % 4))
    return b"".join(pieces)
