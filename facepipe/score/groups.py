"""Sums and means over groups of sorted rows."""

import numpy as np


def labels(*keys: np.ndarray) -> np.ndarray:
    """Group numbers 0, 1, … of sorted rows: a new group starts where any key changes."""
    changes = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.cumsum(changes)


def starts(group: np.ndarray) -> np.ndarray:
    """The first row of each group of `labels`."""
    return np.searchsorted(group, np.arange(group[-1] + 1 if len(group) else 0))


def sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """float64 sums of rows per group, numbered 0, 1, … in ascending order."""
    # NumPy's reduceat is ten times slower along the first axis, and torch's index_add_ a hundred times on a busy
    # machine.
    from scipy.sparse import csr_array

    ends = np.append(0, np.cumsum(np.bincount(group)))
    members = csr_array((np.ones(len(group)), np.arange(len(group)), ends), shape=(len(ends) - 1, len(group)))
    return np.asarray(members @ values)


def means(rows: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, group: np.ndarray) -> np.ndarray:
    """Means of scale·rows per group, G×D, weighted if there are weights.

    Args:
        rows: float n×D.
        scale: float64 n×1.
        weight: float64 n×K, K a divisor of D: each applies to D/K dimensions.
        group: int64 n, 0, 1, … ascending.
    """
    if weight is None:
        return sums(rows * scale, group) / np.bincount(group)[:, None]
    if weight.shape[1] > 1:
        # Concatenated flips repeat the dimensions the head was trained on.
        weight = np.tile(weight, rows.shape[1] // weight.shape[1])
    total = sums(weight, group)
    return sums(rows * (scale * weight), group) / np.where(total > 0, total, 1)
