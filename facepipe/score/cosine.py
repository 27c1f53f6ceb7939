"""Cosine similarity."""

import numpy as np

_ROWS = 65_536


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between rows.

    Args:
        a, b: float N×D.

    Returns:
        float64 N in [−1, 1]; 0 where a row is zero.
    """
    out = np.empty(len(a))
    # In blocks, so that a million pairs do not need a million double rows at once.
    for first in range(0, len(a), _ROWS):
        part = slice(first, first + _ROWS)
        out[part] = np.einsum("nd,nd->n", unit(a[part]), unit(b[part]))
    return np.clip(out, -1, 1)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float64 N×D; a zero row stays zero."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)
