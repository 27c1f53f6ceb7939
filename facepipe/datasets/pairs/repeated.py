"""Pairs of a list that tell nothing new: listed twice, or of an image with itself."""

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs


def repeated(pairs: Pairs) -> tuple[str, ...]:
    """Remarks on them, such as ``2 pairs are listed twice, such as a and b``; the order within a pair plays no part."""
    _, first = np.unique(pairs.unordered, return_index=True)
    again = np.setdiff1d(np.arange(len(pairs)), first)
    alone = np.flatnonzero(pairs.left == pairs.right)
    remarks = []
    if len(again):
        a, b = (pairs.names[side[again[0]]] for side in (pairs.left, pairs.right))
        remarks.append(f"{_count(again)} listed before, and counted again, such as {a} and {b}")
    if len(alone):
        remarks.append(f"{_count(alone)} of an image with itself, such as {pairs.names[pairs.left[alone[0]]]}")
    return tuple(remarks)


def _count(rows: np.ndarray) -> str:
    return f"{len(rows)} pair{' is' if len(rows) == 1 else 's are'}"
