"""Search candidates by NumPy, for stores whose search takes less time than importing PyTorch."""

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import unit

NOT_FINITE = "embeddings contain NaN or infinite values: they are damaged; embed again"
_ROWS = 16_384
"""Rows compared at once."""


class NumpyCandidates:
    """Rough scores in float32 on the CPU.

    Args:
        unit_rows: whether the rows of the store have unit length.
    """

    precision = "float32"

    def __init__(self, unit_rows: bool) -> None:
        self._unit_rows = unit_rows

    def __call__(self, queries: np.ndarray, store: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` highest rough scores float32 Q×count and their rows, unordered; ``count`` is less than N.

        Raises:
            EmbeddingsError: a score is not finite.
        """
        columns = np.ascontiguousarray(unit(queries).astype(np.float32).T)
        best = np.empty((len(queries), 0), np.float32)
        rows = np.empty((len(queries), 0), np.int64)
        for first in range(0, len(store), _ROWS):
            block = store[first : first + _ROWS].astype(np.float32)
            scores = ((block if self._unit_rows else _unit(block)) @ columns).T
            if not np.isfinite(scores).all():
                raise EmbeddingsError(NOT_FINITE)
            best = np.concatenate([best, scores], 1)
            new = np.broadcast_to(np.arange(first, first + len(block)), scores.shape)
            rows = np.concatenate([rows, new], 1)
            if best.shape[1] > count:
                kept = np.argpartition(-best, count - 1, axis=1)[:, :count]
                best, rows = np.take_along_axis(best, kept, 1), np.take_along_axis(rows, kept, 1)
        return best, rows


def _unit(block: np.ndarray) -> np.ndarray:
    # By the largest value first, since squares overflow and underflow sooner than the values.
    for power in (np.inf, 2):
        length = np.linalg.norm(block, power, axis=1, keepdims=True)
        block /= np.where(length == 0, np.float32(1), length)
    return block
