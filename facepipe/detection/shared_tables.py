"""Photos on a device, uploaded once for the search and for whatever comes after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable
from weakref import ref

import numpy as np

from facepipe.detection.arrays import Arrays
from facepipe.detection.resample import Tables, build_tables


@dataclass(frozen=True)
class Group:
    """Photos whose tables are in one buffer.

    Attributes:
        tables: the buffer.
        photos: indices into the photos that were asked for.
        rows: the image in ``tables`` that each of them is.
    """

    tables: Tables
    photos: list[int]
    rows: list[int]


class SharedTables:
    """Summed-area tables of photos, kept on their device until `clear`, or until the photo itself is gone.

    Args:
        arrays: operations of the library and device.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self._kept: dict[int, tuple[ref[np.ndarray], Tables, int]] = {}

    def keep(self, images: Sequence[np.ndarray], tables: Tables) -> None:
        """Keep the tables of these images; ignored if they are on another device.

        Args:
            images: uint8 H×W×3, the arrays themselves: a copy is another photo.
            tables: of these images, in this order.
        """
        if _place(tables.arrays) != _place(self.arrays):
            return
        for row, image in enumerate(images):
            key = id(image)
            gone = partial(_forget, self._kept, key)
            self._kept[key] = ref(image, gone), tables, row

    def upload(self, images: Sequence[np.ndarray]) -> None:
        """Build and keep the tables of these images."""
        self.keep(images, build_tables(list(images), self.arrays))

    def groups(self, images: Sequence[np.ndarray]) -> list[Group]:
        """The tables of these images; those not kept are built together, and not kept.

        An array may have other contents at the next call; only a search, which builds tables anew, keeps them.
        """
        known = {id(image): self._kept[id(image)][1:] for image in images if id(image) in self._kept}
        # A photo with two faces is asked for twice.
        missing = {id(image): image for image in images if id(image) not in known}
        if missing:
            built = build_tables(list(missing.values()), self.arrays)
            known |= {key: (built, row) for row, key in enumerate(missing)}
        groups: dict[int, Group] = {}
        for number, image in enumerate(images):
            tables, row = known[id(image)]
            group = groups.setdefault(id(tables), Group(tables, [], []))
            group.photos.append(number)
            group.rows.append(row)
        return list(groups.values())

    def clear(self) -> None:
        """Forget all tables: a program may hold its photos for as long as it runs."""
        self._kept.clear()

    def __len__(self) -> int:
        """Number of photos whose tables are kept."""
        return len(self._kept)


@runtime_checkable
class SharingDetector(Protocol):
    """A detector that can leave the tables it builds to others."""

    def share_tables(self, kept: SharedTables) -> None:
        """Keep the tables of every photo that is searched at full size in ``kept``."""
        ...


def share_tables(detector: object, kept: SharedTables) -> None:
    """Let a detector share its tables, if it can; otherwise `SharedTables` builds its own."""
    if isinstance(detector, SharingDetector):
        detector.share_tables(kept)


def _forget(kept: dict[int, Any], key: int, _: object) -> None:
    kept.pop(key, None)


def _place(arrays: Arrays) -> tuple[type, Any]:
    return type(arrays), getattr(arrays, "device", None)
