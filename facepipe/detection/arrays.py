"""Array operations that let the cascade be written once for NumPy and PyTorch.

What the two have in common (arithmetic, comparison, masks, ``reshape``, ``swapaxes``, ``clip``) is used directly;
`Arrays` covers what they spell differently.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Arrays(Protocol):
    """Operations of one library on one device; arrays are typed ``Any`` here."""

    def array(self, values: np.ndarray, /) -> Any:
        """Convert a NumPy array to this library's."""

    def host(self, values: Any, /) -> np.ndarray:
        """Convert this library's array to NumPy's."""

    def concat(self, arrays: Sequence[Any], axis: int = 0, /) -> Any:
        """Concatenate along an existing axis."""

    def stack(self, arrays: Sequence[Any], axis: int = 0, /) -> Any:
        """Stack along a new axis."""

    def minimum(self, a: Any, b: Any, /) -> Any:
        """The elementwise minimum."""

    def take(self, values: Any, index: Any, axis: int, /) -> Any:
        """The entries ``index`` along an axis, as a copy."""

    def where(self, mask: Any, /) -> tuple[Any, ...]:
        """Indices of true entries, one array per axis, in row-major order."""

    def flipped(self, values: Any, /) -> Any:
        """A vector in reverse order."""

    def falling(self, scores: Any, /) -> Any:
        """Indices that sort scores in decreasing order; equal scores keep their order."""

    def floor(self, values: Any, /) -> Any:
        """Round down."""

    def trunc(self, values: Any, /) -> Any:
        """Round towards zero."""

    def int64(self, values: Any, /) -> Any:
        """Convert to int64, rounding towards zero."""

    def float32(self, values: Any, /) -> Any:
        """Convert to float32."""

    def float64(self, values: Any, /) -> Any:
        """Convert to float64."""

    def arange(self, count: int, /) -> Any:
        """int64 0 … count − 1."""

    def scaled(self, sums: Any, area: Any, /) -> Any:
        """int32 N×h×w×3 sums and their areas to float32 N×3×h×w with values (mean − 127.5)/128."""

    def suppress(
        self, boxes: Any, scores: Any, group: Any, threshold: float, over_smaller: bool = False, /
    ) -> Any:
        """See `facepipe.detection.suppress`."""
