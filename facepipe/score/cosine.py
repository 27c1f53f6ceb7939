"""Cosine similarity of rows, and of many pairs among a set of rows."""

import numpy as np

_ROWS = 65_536
# Few enough that both sides stay in the cache.
_PAIRS = 512
_TILE = 1 << 23
# Ratio of the cost of one pair by row lookup to that of one entry of a matrix product.
_DENSE = 24


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between rows.

    Args:
        a, b: float N×D.

    Returns:
        float64 N in [−1, 1]; 0 for zero rows.
    """
    out = np.empty(len(a))
    # In blocks, to bound the memory of the float64 copies.
    for first in range(0, len(a), _ROWS):
        part = slice(first, first + _ROWS)
        out[part] = np.einsum("nd,nd->n", unit(a[part]), unit(b[part]))
    return np.clip(out, -1, 1)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows scaled to unit length, float64 N×D; zero rows stay zero."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def pair_cosines(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosine of rows ``left[i]`` and ``right[i]``, in bounded memory.

    If the pairs cover much of the matrix of all left by all right rows, as in IJB, that matrix is computed tile by
    tile; otherwise pair by pair. The results differ by rounding (1e-15).

    Args:
        mu: float N×D.
        left, right: int64 M, rows of ``mu``.

    Returns:
        float64 M in [−1, 1]; 0 for zero rows.
    """
    left_rows, left_index = _used(left, len(mu))
    right_rows, right_index = _used(right, len(mu))
    if len(left_rows) * len(right_rows) <= _DENSE * len(left):
        return _tile_by_tile(unit(mu[left_rows]), unit(mu[right_rows]), left_index, right_index)
    return _pair_by_pair(mu, left, right)


def _used(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, ascending, and the index of each of ``rows`` among them; without sorting."""
    used = np.zeros(count, bool)
    used[rows] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[rows]


def _pair_by_pair(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.einsum("nd,nd->n", mu, mu, dtype=np.float64))
    length[length == 0] = 1
    out = np.empty(len(left))
    for first in range(0, len(left), _PAIRS):
        part = slice(first, first + _PAIRS)
        a, b = left[part], right[part]
        inner = np.einsum("nd,nd->n", mu[a], mu[b], dtype=np.float64)
        out[part] = inner / (length[a] * length[b])
    return np.clip(out, -1, 1, out=out)


def _tile_by_tile(a: np.ndarray, b: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    out = np.empty(len(left))
    # A stable sort takes linear time if the list is already ordered, as published lists are.
    order = np.argsort(left, kind="stable")
    height = max(1, _TILE // max(1, len(b)))
    tops = np.arange(0, len(a), height)
    cuts = np.searchsorted(left[order], np.append(tops, len(a)))
    for top, first, last in zip(tops, cuts, cuts[1:], strict=False):
        pairs = order[first:last]
        out[pairs] = (a[top : top + height] @ b.T)[left[pairs] - top, right[pairs]]
    return np.clip(out, -1, 1, out=out)
