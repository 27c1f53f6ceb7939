"""RecordIO to identity folders: converts insightface's datasets for other programs."""

import csv
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from facepipe.datasets import Samples
from facepipe.datasets.samples.recordio import open_recordio
from facepipe.errors import DatasetError, FacepipeError, ImageError
from facepipe.files import replacing, write_bytes
from facepipe.images import read_rgb
from facepipe.threads import thread_count

_UNIT = 256
"""Records read and checked together; also the unit of sharding."""
_SIGNATURES = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"BM", ".bmp"), (b"GIF8", ".gif"))


@dataclass(frozen=True)
class Unpacked:
    """The outcome of a run.

    Attributes:
        records: image records processed.
        written: files written.
        kept: complete files from an earlier run.
        skipped: records without a file, listed with reasons in ``skipped_list``.
        identities: identity folders of the whole dataset.
        skipped_list: the CSV file, or None if nothing was skipped.
    """

    records: int
    written: int
    kept: int
    skipped: int
    identities: int
    skipped_list: Path | None


def unpack_records(
    record: Path,
    out: Path,
    shard: tuple[int, int] = (1, 1),
    begun: Callable[[int], None] = lambda _total: None,
    advance: Callable[[int], None] = lambda _count: None,
) -> Unpacked:
    """Write every image of a ``.rec`` file to ``out/LABEL/NUMBER.jpg``, unchanged byte for byte.

    LABEL and NUMBER have leading zeros, so that names sort like labels and records; the extension follows the image's
    format. Each image is decoded once to check it; one that is damaged or unreadable is left out and listed in
    ``out/skipped.csv``. Files are written atomically, and an existing file of the right size is not written again:
    after an interruption, run the same command again.

    Args:
        record: the ``.rec`` file, or the folder of ``train.rec``.
        out: output folder.
        shard: (i, n): process the i-th of n parts, i from 1.
        begun: called once with the number of records.
        advance: called with the number of records finished in each step.

    Raises:
        DatasetError: no RecordIO data, a damaged index, or a bad shard.
    """
    part, parts = shard
    if not 1 <= part <= parts:
        raise DatasetError(f"shard {part}/{parts}: must be i/n with i from 1 to n")
    samples = open_recordio(record)
    units = list(_units(len(samples)))[part - 1 :: parts]
    begun(sum(map(len, units)))
    tail = "" if parts == 1 else f"-{part:05d}-of-{parts:05d}"
    listing = out / f"skipped{tail}.csv"
    counts = {"written": 0, "kept": 0, "skipped": 0}
    with replacing(listing) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["record", "identity", "reason"])
        for index, status, reason in _unpack(samples, out, units, advance):
            counts[status] += 1
            if reason:
                table.writerow([samples.key(index), samples.identities[samples.labels[index]], reason])
    if not counts["skipped"]:
        listing.unlink()
    skipped_list = listing if counts["skipped"] else None
    return Unpacked(sum(counts.values()), **counts, identities=len(samples.identities), skipped_list=skipped_list)


def _units(total: int) -> Iterator[range]:
    return (range(first, min(first + _UNIT, total)) for first in range(0, total, _UNIT))


def _unpack(
    samples: Samples, out: Path, units: Iterable[range], advance: Callable[[int], None]
) -> Iterator[tuple[int, str, str]]:
    """Index, status and reason of each record."""
    label_digits = max(len(name) for name in samples.identities)
    digits = len(str(len(samples) - 1))

    def one(index: int) -> tuple[int, str, str]:
        folder = out / samples.identities[samples.labels[index]].zfill(label_digits)
        try:
            return index, _write(samples.read(index), folder / f"{index:0{digits}d}"), ""
        except FacepipeError as error:
            return index, "skipped", str(error).removeprefix("image: ")

    # Decoding and writing let other threads run.
    with ThreadPoolExecutor(min(4, thread_count()), thread_name_prefix="facepipe-unpack") as pool:
        for unit in units:
            yield from pool.map(one, unit)
            advance(len(unit))


def _write(data: bytes, stem: Path) -> str:
    """Write an image unless it exists completely; returns ``written`` or ``kept``."""
    path = stem.with_name(stem.name + _suffix(data))
    if path.is_file() and path.stat().st_size == len(data):
        return "kept"
    read_rgb(data, name="image")
    write_bytes(path, data)
    return "written"


def _suffix(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    for signature, suffix in _SIGNATURES:
        if data.startswith(signature):
            return suffix
    raise ImageError("the record contains no JPEG, PNG, WebP, BMP or GIF image")
