"""Paths of up to millions of images, stored compactly as bytes."""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa

_BLOCK = 1 << 16


class PathTable:
    """Paths by index; a list of Path objects would take a kilobyte each.

    Args:
        paths: the paths in order, consumed one by one.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        remaining = iter(paths)
        parts = []
        while block := list(islice(remaining, _BLOCK)):
            parts.append(pa.array([os.fsencode(path) for path in block], type=pa.large_binary()))
        self._table = pa.concat_arrays(parts) if parts else pa.array([], type=pa.large_binary())

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Path:
        return Path(os.fsdecode(self._table[index].as_py()))
