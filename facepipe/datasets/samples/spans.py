"""Thread-safe reading of byte ranges of large files."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from facepipe.errors import DatasetError

OPEN_FILES = 32
"""Files that one thread keeps open, since thousands of shards would exceed the system's limit."""


class Spans:
    """Reads bytes at (file, offset, size). Each thread has its own file handles, so no lock is needed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._local = threading.local()

    def read(self, which: int, offset: int, size: int) -> bytes:
        """Read ``size`` bytes at ``offset`` of file number ``which``.

        Raises:
            DatasetError: the file is too short.
            OSError: it cannot be opened or read.
        """
        handle = self._handle(which)
        handle.seek(offset)
        data = handle.read(size)
        if len(data) != size:
            end = offset + len(data)
            raise DatasetError(f"{self.paths[which]}: truncated at byte {end}, within a sample")
        return data

    def _handle(self, which: int) -> BinaryIO:
        handles: OrderedDict[int, BinaryIO] | None = getattr(self._local, "handles", None)
        if handles is None:
            handles = self._local.handles = OrderedDict()
        if which in handles:
            handles.move_to_end(which)
            return handles[which]
        while len(handles) >= OPEN_FILES:
            handles.popitem(last=False)[1].close()
        handles[which] = self.paths[which].open("rb", buffering=0)
        return handles[which]
