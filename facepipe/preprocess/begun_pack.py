"""The finished part of a pack, on disk: crops and records in an append-only file until the pack is complete."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from facepipe.preprocess.packs import PackedCrops
from facepipe.preprocess.scan import Listed


class BegunPack:
    """Collects the crops of a pack; those saved before an interruption need not be made again.

    The file holds, for each save, a line of JSON (records; name, size and metadata of each crop) and the crops' bytes.
    Data after the last complete save were cut off, and are removed.

    Args:
        path: the file.
        pack: name of the pack in the manifest.
        seconds: interval between saves.
    """

    def __init__(self, path: Path, pack: str, seconds: float) -> None:
        self.path, self._pack, self._seconds = path, pack, seconds
        self._records: list[dict[str, Any]] = []
        self._crops: list[tuple[str, bytes, dict[str, Any]]] = []
        self._kept_at = time.monotonic()

    def add(self, name: str, data: bytes, about: dict[str, Any]) -> str:
        """See `PackedCrops`."""
        self._crops.append((name, data, about))
        return f"{self._pack}/{name}"

    def open(self, images: Sequence[Listed]) -> list[dict[str, Any]]:
        """Saved records of the first of these images; if they belong to other images, they are dropped."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        parts = [(records, end) for records, _, end in self._parts()]
        records = [record for part, _ in parts for record in part]
        end = parts[-1][1] if parts else 0
        wanted = [[image.path, image.mark.size, image.mark.mtime] for image in images[: len(records)]]
        if [[record["path"], *record["mark"][:2]] for record in records] != wanted:
            records, end = [], 0
        with self.path.open("ab") as file:
            file.truncate(end)
        return records

    def keep(self, records: Sequence[dict[str, Any]], now: bool = False) -> None:
        """Add the records of the added crops; every few seconds, or ``now``, everything is written to disk."""
        self._records += records
        if not (now or time.monotonic() - self._kept_at >= self._seconds):
            return
        head = {"records": self._records, "crops": [(name, len(data), about) for name, data, about in self._crops]}
        with self.path.open("ab") as file:
            file.write(json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n")
            file.writelines(data for _, data, _ in self._crops)
            file.flush()
            os.fsync(file.fileno())
        self._records, self._crops, self._kept_at = [], [], time.monotonic()

    def copy_to(self, pack: PackedCrops) -> None:
        """Add all crops to a pack, in order."""
        for _, crops, _ in self._parts():
            for name, data, about in crops:
                pack.add(name, data, about)

    def remove(self) -> None:
        """Remove the file once the pack is complete."""
        self.path.unlink(missing_ok=True)

    def _parts(self) -> Iterator[tuple[list[dict[str, Any]], list[tuple[str, bytes, dict[str, Any]]], int]]:
        """Records, crops and end position of each complete save."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            while head := file.readline():
                try:
                    values = json.loads(head)
                    crops = [(name, _exactly(file, size), about) for name, size, about in values["crops"]]
                except (ValueError, KeyError, TypeError, EOFError):
                    return
                yield values["records"], crops, file.tell()


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
