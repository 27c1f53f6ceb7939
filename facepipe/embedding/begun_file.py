"""Finished parts of an incomplete embeddings file: tables in Arrow streams, one stream per run."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

KEEP_SECONDS = 5.0
"""Interval after which, at the end of a batch, embeddings are saved; an interruption loses no more than this."""


class BegunFile:
    """Saves tables in a folder until their file is complete; nothing is created before the first save.

    Args:
        folder: folder for the tables.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._kept_at = time.monotonic()
        self._file: Any = None
        self._stream: Any = None

    def add(self, table: pa.Table) -> None:
        """Add a table; every few seconds all added tables are written to disk."""
        self._tables.append(table)
        if time.monotonic() - self._kept_at < KEEP_SECONDS:
            return
        if self._stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / f"{len(list(self._folder.iterdir())):06d}.arrow").open("xb")
            self._stream = pa.ipc.new_stream(self._file, table.schema)
        for waiting in self._tables:
            self._stream.write_table(waiting)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._tables, self._kept_at = [], time.monotonic()

    def close(self) -> None:
        """Close the stream, keeping its contents."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Remove the saved tables once the file is complete."""
        self.close()
        forget_begun(self._folder)


def begun_batches(folder: Path) -> Iterator[pa.Table]:
    """The saved tables, memory-mapped; a truncated last table is left out."""
    for path in sorted(folder.glob("*.arrow")):
        with suppress(pa.ArrowException, OSError, StopIteration):
            stream = pa.ipc.open_stream(pa.memory_map(str(path)))
            while True:
                yield pa.Table.from_batches([stream.read_next_batch()])


def forget_begun(folder: Path) -> None:
    """Remove the saved tables, and the parent folder if empty."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
