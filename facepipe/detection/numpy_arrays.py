"""`facepipe.detection.arrays.Arrays` for NumPy, with suppression box by box, for the few boxes of single photos."""

from collections.abc import Callable

import numpy as np


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
    """The surviving boxes of one group, which is given best first."""
    extra = np.float32(1 if over_smaller else 0)
    left, top, right, bottom = boxes[order].T
    area = (right - left + extra) * (bottom - top + extra)
    kept = []
    remaining = np.arange(len(order))
    while len(remaining):
        best, rest = remaining[0], remaining[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + extra
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + extra
        shared = width.clip(0) * height.clip(0)
        whole = np.minimum(area[best], area[rest]) if over_smaller else area[best] + area[rest] - shared
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area survive, as in PyTorch
            remaining = rest[~(shared / whole > threshold)]
    return order[np.array(kept)]


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
