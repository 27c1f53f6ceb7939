"""What is done, on disk: a file that only grows, read back after any interruption."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError

_CLOSED = b'{"closed":true}\n'


class Journal:
    """One line of JSON per image, and after every unit of images a line that closes it.

    Lines behind the last closed unit belong to work that was cut off: `open` removes them. A unit is
    closed only when its crops are on disk, so a closed unit never has to be done again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def open(self) -> int:
        """Open for appending; returns the number of closed units."""
        closed, end = self._closed()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab")
        self._file.truncate(end)
        return closed

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, records: list[dict[str, Any]]) -> None:
        """Append one unit's records and close the unit; it is on disk when this returns.

        A unit that cannot be written whole, on a full disk say, leaves no trace.
        """
        lines = [json.dumps(record, separators=(",", ":")) for record in records]
        data = "".join(line + "\n" for line in lines).encode("ascii") + _CLOSED
        before = self._file.tell()
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self.path, before)
            raise

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all closed units, in order."""
        _, end = self._closed()
        if end == 0:
            return
        with self.path.open("rb") as file:
            while file.tell() < end:
                record = json.loads(file.readline())
                if "closed" not in record:
                    yield record

    def _closed(self) -> tuple[int, int]:
        """Number of closed units and the position behind the last of them."""
        closed = end = 0
        if not self.path.exists():
            return closed, end
        position = 0
        with self.path.open("rb") as file:
            for line in file:
                position += len(line)
                if line == _CLOSED:
                    closed, end = closed + 1, position
        return closed, end


def check_settings(path: Path, settings: dict[str, Any]) -> bool:
    """Whether a job with these very settings was begun here before.

    Raises:
        DatasetError: one with other settings was; names the first difference.
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: damaged; remove {path.parent} to start over") from error
    for key in settings:
        if before.get(key) != settings[key]:
            raise DatasetError(
                f"{path.parent.parent}: begun with {key} {before.get(key)!r}, now {settings[key]!r}; "
                f"use the same settings to resume, another folder, or --overwrite to start over"
            )
    return True
