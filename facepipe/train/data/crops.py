"""Decoded training crops, cached in memory up to a limit; unreadable ones are counted and substituted."""

import threading

import numpy as np

from facepipe.alignment import fit_crop
from facepipe.datasets.samples.samples import Samples
from facepipe.errors import DatasetError, FacepipeError, ImageError
from facepipe.images import read_rgb
from facepipe.train.data.order import uniforms

ATTEMPTS = 32
"""Substitutes tried for an unreadable sample before the data are considered unusable."""


class Crops:
    """Crops of ``samples`` by index, uint8 H×W×3 RGB.

    Args:
        samples: the encoded samples.
        size: (H, W) of the network input.
        how: see ``fit``.
        memory: bytes for decoded crops; as many of the first samples as fit are cached once decoded.
        seed: determines the substitute of an unreadable sample.
        max_corrupt: fraction of all samples that may be unreadable.

    Raises:
        DatasetError: the first readable sample does not fit the network, or none of the first samples is readable.
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
        cached = min(len(samples), memory // (size[0] * size[1] * 3))
        # The system allocates pages only when a crop is written to them.
        self._cache = np.empty((cached, *size, 3), dtype=np.uint8)
        self._is_cached = np.zeros(len(samples), dtype=bool)
        self._check_first()

    def _check_first(self) -> None:
        for index in range(min(len(self.samples), ATTEMPTS)):
            try:
                crop = read_rgb(self.samples.read(index), name=self.samples.key(index))
            except (FacepipeError, OSError):
                continue
            try:
                fit_crop(crop, self.size, self.how)
            except ImageError as error:
                raise DatasetError(f"{self.samples.key(index)}: {error}") from error
            return
        raise DatasetError(
            f"{self.samples.where}: none of the first {min(len(self.samples), ATTEMPTS)} images can be read; "
            "check the data"
        )

    def batch(self, indices: np.ndarray, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Crops uint8 N×H×W×3 and labels int64 N; thread-safe.

        Raises:
            DatasetError: too many samples are unreadable.
        """
        crops, used = self.numbered(indices, epochs)
        return crops, self.samples.labels[used]

    def numbered(self, indices: np.ndarray, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Crops as ``batch``, and the index int64 N of the sample actually used for each (a substitute if unreadable).

        Raises:
            DatasetError: too many samples are unreadable.
        """
        crops = np.empty((len(indices), *self.size, 3), dtype=np.uint8)
        cached = self._is_cached[indices]
        if cached.all():
            np.take(self._cache, indices, axis=0, out=crops)
            return crops, indices
        crops[cached] = self._cache[indices[cached]]
        used = indices.copy()
        for position in np.flatnonzero(~cached):
            used[position] = self._load(crops[position], int(indices[position]), int(epochs[position]))
        return crops, used

    def _load(self, out: np.ndarray, index: int, epoch: int) -> int:
        """Write a crop to ``out``; returns the index of the sample used."""
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
        if self._is_cached[index]:
            out[:] = self._cache[index]
            return True
        try:
            name = self.samples.key(index)
            out[:] = fit_crop(read_rgb(self.samples.read(index), name=name), self.size, self.how)
        except (FacepipeError, OSError) as error:
            self._count(index, str(error))
            return False
        if index < len(self._cache):
            self._cache[index] = out
            self._is_cached[index] = True
        return True

    def _count(self, index: int, reason: str) -> None:
        with self._lock:
            self.corrupt[index] = reason
            allowed = max(ATTEMPTS, self.max_corrupt * len(self.samples))
            if len(self.corrupt) > allowed:
                raise DatasetError(
                    f"{self.samples.where}: {len(self.corrupt)} of {len(self.samples)} unreadable, "
                    f"the last: {reason}; repair the data or raise data.max_corrupt"
                )
