"""Cosines of many pairs among a set of rows."""

import numpy as np

from facepipe.score.cosine import unit

# Few enough that both sides stay in the cache.
_ROWS = 512
_TILE = 1 << 23
# A matrix product spends this many times less on an entry than a lookup of both rows spends on a pair.
_DENSE = 24


def pair_cosines(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosine of rows ``left[i]`` and ``right[i]``, in bounded memory.

    Where the pairs cover much of the table "every left row with every right row", as those of IJB do, the
    table is computed tile by tile; otherwise pair by pair. The two differ by rounding (1e-15).

    Args:
        mu: float N×D.
        left, right: int64 M, rows of ``mu``.

    Returns:
        float64 M in [−1, 1]; 0 where a row is zero.
    """
    lefts, left_at = _used(left, len(mu))
    rights, right_at = _used(right, len(mu))
    if len(lefts) * len(rights) <= _DENSE * len(left):
        return _from_table(unit(mu[lefts]), unit(mu[rights]), left_at, right_at)
    return _one_by_one(mu, left, right)


def _used(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The different rows, ascending, and where each of ``rows`` stands among them; no sorting."""
    seen = np.zeros(count, bool)
    seen[rows] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[rows]


def _one_by_one(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.einsum("nd,nd->n", mu, mu, dtype=np.float64))
    length[length == 0] = 1
    out = np.empty(len(left))
    for first in range(0, len(left), _ROWS):
        part = slice(first, first + _ROWS)
        a, b = left[part], right[part]
        inner = np.einsum("nd,nd->n", mu[a], mu[b], dtype=np.float64)
        out[part] = inner / (length[a] * length[b])
    return np.clip(out, -1, 1, out=out)


def _from_table(a: np.ndarray, b: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    out = np.empty(len(left))
    # Timsort: linear when the list is in order already, as published lists are.
    order = np.argsort(left, kind="stable")
    height = max(1, _TILE // max(1, len(b)))
    tops = np.arange(0, len(a), height)
    cuts = np.searchsorted(left[order], np.append(tops, len(a)))
    for top, first, last in zip(tops, cuts, cuts[1:], strict=False):
        pairs = order[first:last]
        out[pairs] = (a[top : top + height] @ b.T)[left[pairs] - top, right[pairs]]
    return np.clip(out, -1, 1, out=out)
