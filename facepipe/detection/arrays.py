"""Operations on arrays by which the cascade is written once for NumPy and PyTorch.

What the two have in common (arithmetic, comparison, masks, ``reshape``, ``swapaxes``, ``clip``) is written plainly; an
`Arrays` has what they name differently.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from facepipe.detection.suppress_numpy import suppress_on_arrays


class Arrays(Protocol):
    """Arrays of one library on one device; an array is ``Any`` here."""

    def array(self, values: np.ndarray, /) -> Any:
        """A NumPy array as one of this library's."""

    def host(self, values: Any, /) -> np.ndarray:
        """One of this library's arrays as NumPy's."""

    def concat(self, arrays: Sequence[Any], axis: int = 0, /) -> Any:
        """Arrays one after the other."""

    def stack(self, arrays: Sequence[Any], axis: int = 0, /) -> Any:
        """Arrays along a new axis."""

    def minimum(self, a: Any, b: Any, /) -> Any:
        """The smaller of each two numbers."""

    def take(self, values: Any, index: Any, axis: int, /) -> Any:
        """The entries ``index`` of an axis, as a copy."""

    def where(self, mask: Any, /) -> tuple[Any, ...]:
        """Index along each axis of what is true, row by row."""

    def flipped(self, values: Any, /) -> Any:
        """A vector's last entry first."""

    def falling(self, scores: Any, /) -> Any:
        """Order of falling scores, equal ones as they stand."""

    def floor(self, values: Any, /) -> Any:
        """The next whole number below."""

    def trunc(self, values: Any, /) -> Any:
        """Decimals cut off."""

    def int64(self, values: Any, /) -> Any:
        """Whole numbers, decimals cut off."""

    def float32(self, values: Any, /) -> Any:
        """Numbers of 32 bits."""

    def float64(self, values: Any, /) -> Any:
        """Numbers of 64 bits."""

    def arange(self, count: int, /) -> Any:
        """int64 0 … count − 1."""

    def scaled(self, sums: Any, area: Any, /) -> Any:
        """int32 N×h×w×3 sums over areas as float32 N×3×h×w, values (mean − 127.5)/128."""

    def suppress(
        self, boxes: Any, scores: Any, group: Any, threshold: float, over_smaller: bool = False, /
    ) -> Any:
        """See `facepipe.detection.suppress`."""


class NumpyArrays:
    """`Arrays` of NumPy."""

    concat: Callable[..., np.ndarray] = staticmethod(np.concatenate)
    stack: Callable[..., np.ndarray] = staticmethod(np.stack)
    minimum: Callable[..., np.ndarray] = staticmethod(np.minimum)
    take: Callable[..., np.ndarray] = staticmethod(np.take)
    where: Callable[..., tuple[np.ndarray, ...]] = staticmethod(np.nonzero)
    floor: Callable[..., np.ndarray] = staticmethod(np.floor)
    trunc: Callable[..., np.ndarray] = staticmethod(np.trunc)
    arange: Callable[..., np.ndarray] = staticmethod(np.arange)
    suppress: Callable[..., np.ndarray] = staticmethod(suppress_on_arrays)

    def array(self, values: np.ndarray) -> np.ndarray:
        return values

    def host(self, values: np.ndarray) -> np.ndarray:
        return values

    def flipped(self, values: np.ndarray) -> np.ndarray:
        return values[::-1]

    def falling(self, scores: np.ndarray) -> np.ndarray:
        return np.argsort(-scores, kind="stable")

    def int64(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.int64)

    def float32(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)

    def float64(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float64)

    def scaled(self, sums: np.ndarray, area: np.ndarray) -> np.ndarray:
        means = sums.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area give no number, as in PyTorch
            means *= np.reciprocal(area.astype(np.float32) * np.float32(128))
        means -= np.float32(127.5 / 128)
        return means.transpose(0, 3, 1, 2)
