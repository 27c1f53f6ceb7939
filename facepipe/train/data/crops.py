"""Decoded training crops, kept in memory up to a limit; what cannot be read is counted and replaced."""

import threading

import numpy as np

from facepipe.alignment import fit
from facepipe.datasets.samples.samples import Samples
from facepipe.errors import DatasetError, FacepipeError, ImageError
from facepipe.images import read_rgb
from facepipe.train.data.order import uniforms

ATTEMPTS = 32
"""Substitutes that are tried for an unreadable sample before the data are called unusable."""


class Crops:
    """Crops of ``samples`` by index, uint8 H×W×3 RGB.

    Args:
        samples: where they come from.
        size: (H, W) of the network.
        how: see ``fit``.
        memory: bytes that decoded crops may take; the first that many samples are kept once decoded.
        seed: decides which sample stands in for an unreadable one.
        max_corrupt: share of all samples that may be unreadable.

    Raises:
        DatasetError: the first readable sample does not fit the network, or the first few are unreadable.
    """

    def __init__(
        self,
        samples: Samples,
        size: tuple[int, int],
        how: str = "middle",
        memory: int = 0,
        seed: int = 0,
        max_corrupt: float = 0.1,
    ) -> None:
        self.samples = samples
        self.size = size
        self.how = how
        self.seed = seed
        self.max_corrupt = max_corrupt
        self.corrupt: dict[int, str] = {}
        self._lock = threading.Lock()
        kept = min(len(samples), memory // (size[0] * size[1] * 3))
        # Pages are taken by the system only when a crop is written to them.
        self._kept = np.empty((kept, *size, 3), dtype=np.uint8)
        self._filled = np.zeros(len(samples), dtype=bool)
        self._check_first()

    def _check_first(self) -> None:
        for index in range(min(len(self.samples), ATTEMPTS)):
            try:
                crop = read_rgb(self.samples.read(index), name=self.samples.key(index))
            except (FacepipeError, OSError):
                continue
            try:
                fit(crop, self.size, self.how)
            except ImageError as error:
                raise DatasetError(f"{self.samples.key(index)}: {error}") from error
            return
        raise DatasetError(
            f"{self.samples.where}: none of the first {min(len(self.samples), ATTEMPTS)} images can be read; "
            "check the data"
        )

    def batch(self, indices: np.ndarray, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Crops uint8 N×H×W×3 and labels int64 N; safe to call from several threads.

        Raises:
            DatasetError: too many samples are unreadable.
        """
        crops, used = self.numbered(indices, epochs)
        return crops, self.samples.labels[used]

    def numbered(self, indices: np.ndarray, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Crops as ``batch``, and the number int64 N of the sample each is of: another where one is unreadable.

        Raises:
            DatasetError: too many samples are unreadable.
        """
        crops = np.empty((len(indices), *self.size, 3), dtype=np.uint8)
        here = self._filled[indices]
        if here.all():
            np.take(self._kept, indices, axis=0, out=crops)
            return crops, indices
        crops[here] = self._kept[indices[here]]
        used = indices.copy()
        for place in np.flatnonzero(~here):
            used[place] = self._fill(crops[place], int(indices[place]), int(epochs[place]))
        return crops, used

    def _fill(self, out: np.ndarray, index: int, epoch: int) -> int:
        """Write a crop to ``out``; returns the index of the sample it is of."""
        if self._read(out, index):
            return index
        draws = uniforms(self.seed ^ 0xBAD, np.array([epoch]), np.array([index]), ATTEMPTS)[0]
        for draw in draws:
            substitute = int(draw * len(self.samples))
            if self._read(out, substitute):
                return substitute
        raise DatasetError(
            f"{self.samples.where}: {ATTEMPTS} samples in a row cannot be read ({self.corrupt[index]}); "
            "check the data"
        )

    def _read(self, out: np.ndarray, index: int) -> bool:
        if index in self.corrupt:
            return False
        if self._filled[index]:
            out[:] = self._kept[index]
            return True
        try:
            name = self.samples.key(index)
            out[:] = fit(read_rgb(self.samples.read(index), name=name), self.size, self.how)
        except (FacepipeError, OSError) as error:
            self._count(index, str(error))
            return False
        if index < len(self._kept):
            self._kept[index] = out
            self._filled[index] = True
        return True

    def _count(self, index: int, reason: str) -> None:
        with self._lock:
            self.corrupt[index] = reason
            allowed = max(ATTEMPTS, self.max_corrupt * len(self.samples))
            if len(self.corrupt) > allowed:
                raise DatasetError(
                    f"{self.samples.where}: {len(self.corrupt)} of {len(self.samples)} unreadable, "
                    f"the last: {reason}; mend the data or raise data.max_corrupt"
                )
