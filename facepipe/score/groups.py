"""Sums and means over groups of sorted rows."""

import numpy as np


def labels(*keys: np.ndarray) -> np.ndarray:
    """Groups of sorted rows numbered 0, 1, …: a new one where any key changes."""
    changes = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.cumsum(changes)


def starts(group: np.ndarray) -> np.ndarray:
    """The first row of each group of `labels`."""
    return np.searchsorted(group, np.arange(group[-1] + 1 if len(group) else 0))


def sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """float64 rows summed by ascending group numbers 0, 1, …"""
    # NumPy's reduceat takes ten times as long along the first axis, and torch's index_add_ a hundred times where its
    # threads wait for a busy core.
    from scipy.sparse import csr_array

    ends = np.append(0, np.cumsum(np.bincount(group)))
    members = csr_array((np.ones(len(group)), np.arange(len(group)), ends), shape=(len(ends) - 1, len(group)))
    return np.asarray(members @ values)


def means(rows: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, group: np.ndarray) -> np.ndarray:
    """Means of scale·rows in each group, G×D, weighted where there are weights.

    Args:
        rows: float n×D.
        scale: float64 n×1.
        weight: float64 n×K, K a divisor of D: each weighs D/K dimensions.
        group: int64 n, 0, 1, … ascending.
    """
    if weight is None:
        return sums(rows * scale, group) / np.bincount(group)[:, None]
    if weight.shape[1] > 1:
        # Flip concatenation repeats the dimensions that the head was trained in.
        weight = np.tile(weight, rows.shape[1] // weight.shape[1])
    total = sums(weight, group)
    return sums(rows * (scale * weight), group) / np.where(total > 0, total, 1)
