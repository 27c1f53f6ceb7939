"""What is done of a file of embeddings that is not finished yet: tables in Arrow streams, one stream for each start."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

KEEP_SECONDS = 5.0
"""After so long, at the end of a batch, what was embedded is kept: no more is lost when the work is cut off."""


class BegunFile:
    """Keeps tables in a folder until the file that they are for is whole; nothing is made before the first step.

    Args:
        folder: to keep them in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._kept_at = time.monotonic()
        self._file: Any = None
        self._stream: Any = None

    def add(self, table: pa.Table) -> None:
        """Take a table; every few seconds those that were taken go to the disk."""
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
        """Close the stream; what it holds stays."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """The file is whole: forget what was kept."""
        self.close()
        forget_begun(self._folder)


def begun_batches(folder: Path) -> Iterator[pa.Table]:
    """The tables that were kept, mapped into memory; what was cut off in the midst of one is left out."""
    for path in sorted(folder.glob("*.arrow")):
        with suppress(pa.ArrowException, OSError, StopIteration):
            stream = pa.ipc.open_stream(pa.memory_map(str(path)))
            while True:
                yield pa.Table.from_batches([stream.read_next_batch()])


def forget_begun(folder: Path) -> None:
    """Remove what was kept, and the folder above it where nothing else is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
