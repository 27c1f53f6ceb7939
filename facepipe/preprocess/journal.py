"""A journal of finished work: an append-only file, read back after any interruption."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facepipe.detection import with_present_names
from facepipe.errors import DatasetError
from facepipe.parameters import parameter

_CLOSED, _PART = b'{"closed":true}\n', b'{"part":true}\n'


class Journal:
    """One line of JSON per image, a closing line after every unit of images, and lines within a unit that mark saved
    partial work.

    Lines after the last of these belong to interrupted work: `open` removes them. A line is written only after the
    crops before it are on disk, so that they never need to be made again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._end = 0

    def open(self) -> int:
        """Open for appending; returns the number of closed units.

        Raises:
            DatasetError: another process has it open.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that data rejected by a full disk are not written later, on closing.
        self._file = self.path.open("ab", buffering=0)
        self._lock()
        closed, self._end, _ = self._closed()
        self._file.truncate(self._end)
        return closed

    def begun(self) -> int:
        """Number of finished images in the unit after the closed ones."""
        return self._closed()[2]

    def _lock(self) -> None:
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise DatasetError(f"{self.path}: another process is running this job; wait for it, or stop it") from error
        except (ImportError, OSError):
            return  # this system or file system has no such locks

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def restart(self) -> None:
        """Remove all records; the file must be open."""
        self._file.truncate(0)
        self._end = 0

    def append(self, records: list[dict[str, Any]], closes: bool = True) -> None:
        """Append records and close their unit, or save them as a part of it; they are on disk on return.

        If they cannot be written completely, such as on a full disk, nothing is written.
        """
        lines = [json.dumps(record, separators=(",", ":")) for record in records]
        data = "".join(line + "\n" for line in lines).encode("ascii") + (_CLOSED if closes else _PART)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(data)

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all closed units and of the finished part of the next, in order."""
        for _, record in self.placed_records():
            yield record

    def placed_records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """`records`, each with the position at which its line begins."""
        _, end, _ = self._closed()
        if end == 0:
            return
        at = 0
        with self.path.open("rb") as file:
            while at < end:
                line = file.readline()
                if line not in (_CLOSED, _PART):
                    yield at, json.loads(line)
                at += len(line)

    def closed(self) -> int:
        """Number of closed units."""
        return self._closed()[0]

    def _closed(self) -> tuple[int, int, int]:
        """Number of closed units, end position of finished work, and number of finished images in the next unit."""
        closed = end = begun = 0
        if not self.path.exists():
            return closed, end, begun
        position = images = 0
        with self.path.open("rb") as file:
            for line in file:
                position += len(line)
                if line == _CLOSED:
                    closed, end, begun, images = closed + 1, position, 0, 0
                elif line == _PART:
                    end, begun = position, images
                else:
                    images += 1
        return closed, end, begun


def same_settings(path: Path, settings: dict[str, Any]) -> bool:
    """Whether a job with exactly these settings was begun here; also False if the record is damaged."""
    try:
        return bool(check_settings(path, settings))
    except DatasetError:
        return False


def check_settings(path: Path, settings: dict[str, Any], out: Path | None = None) -> bool:
    """Whether a job with exactly these settings was begun here.

    Raises:
        DatasetError: one with other settings was; the message names the first difference.
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: damaged; remove {path.parent} to start over") from error
    if before.get("template") in ("112x96", "112x112"):  # from before templates had an identity; this was theirs
        before["template"] += "-cp2tform"
    if isinstance(before.get("detection"), dict):
        before["detection"] = with_present_names(before["detection"])
    for key in settings:
        if before.get(key) != settings[key]:
            raise DatasetError(
                f"{out or path.parent.parent}: begun with {key} {before.get(key)!r}, now {settings[key]!r}; "
                f"use the same settings to resume, another folder, or {parameter('overwrite', True)} to start over"
            )
    return True
