"""Operations on arrays by which the cascade is written once for NumPy and PyTorch.

What the two have in common (arithmetic, comparison, masks, ``reshape``, ``swapaxes``, ``clip``) is written plainly; an
`Arrays` has what they name differently.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


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
