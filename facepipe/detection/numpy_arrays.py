"""`facepipe.detection.arrays.Arrays` for NumPy, with suppression group by group, for the few boxes of single photos."""

from collections.abc import Callable
from typing import Any

import numpy as np

_BLOCK = 256
"""Boxes compared with each other at once."""


def suppress_on_arrays(
    boxes: np.ndarray, scores: np.ndarray, group: np.ndarray, threshold: float, over_smaller: bool = False
) -> np.ndarray:
    """Indices of the boxes that survive greedy suppression within their group; see `facepipe.detection.suppress`."""
    order = np.argsort(-scores, kind="stable")
    order = order[np.argsort(group[order], kind="stable")]
    if not len(order):
        return order
    ends = np.flatnonzero(np.diff(group[order])) + 1
    kept = [_greedy(boxes, members, np.float32(threshold), over_smaller) for members in np.split(order, ends)]
    return np.concatenate(kept)


def _greedy(boxes: np.ndarray, order: np.ndarray, threshold: np.float32, over_smaller: bool) -> np.ndarray:
    """The surviving boxes of one group, which is given best first; compared in blocks, so that memory stays bounded."""
    extra = np.float32(1 if over_smaller else 0)
    sides = boxes[order].T
    area = (sides[2] - sides[0] + extra) * (sides[3] - sides[1] + extra)
    alive = np.ones(len(order), bool)
    for first in range(0, len(order), _BLOCK):
        block = slice(first, first + _BLOCK)
        for start in range(0, first, _BLOCK):
            better = np.flatnonzero(alive[start : start + _BLOCK]) + start
            alive[block] &= ~_overlapping(sides, area, better, block, threshold, extra).any(0)
        overlapping = _overlapping(sides, area, block, block, threshold, extra)
        for index in range(len(overlapping)):
            if alive[first + index]:
                alive[first + index + 1 : first + len(overlapping)] &= ~overlapping[index, index + 1 :]
    return order[alive]


def _overlapping(
    sides: np.ndarray, area: np.ndarray, rows: Any, columns: Any, threshold: np.float32, extra: np.float32
) -> np.ndarray:
    """Which boxes overlap by more than the threshold, rows × columns; over the smaller one if sides have ``extra``."""
    left, top, right, bottom = sides[:, rows, None]
    width = np.minimum(right, sides[2, columns]) - np.maximum(left, sides[0, columns]) + extra
    height = np.minimum(bottom, sides[3, columns]) - np.maximum(top, sides[1, columns]) + extra
    shared = width.clip(0) * height.clip(0)
    ours, theirs = area[rows, None], area[columns]
    whole = np.minimum(ours, theirs) if extra else ours + theirs - shared
    with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area survive, as in PyTorch
        found: np.ndarray = shared / whole > threshold
    return found


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
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area give NaN, as in PyTorch
            means *= np.reciprocal(area.astype(np.float32) * np.float32(128))
        means -= np.float32(127.5 / 128)
        return means.transpose(0, 3, 1, 2)
