"""`facepipe.detection.suppress` for the few boxes of single photos, in NumPy: box by box."""

import numpy as np


def suppress_on_arrays(
    boxes: np.ndarray, scores: np.ndarray, group: np.ndarray, threshold: float, over_smaller: bool = False
) -> np.ndarray:
    """Indices of the boxes that survive greedy suppression inside their group; see `facepipe.detection.suppress`."""
    order = np.argsort(-scores, kind="stable")
    order = order[np.argsort(group[order], kind="stable")]
    if not len(order):
        return order
    ends = np.flatnonzero(np.diff(group[order])) + 1
    kept = [_greedy(boxes, own, np.float32(threshold), over_smaller) for own in np.split(order, ends)]
    return np.concatenate(kept)


def _greedy(boxes: np.ndarray, order: np.ndarray, threshold: np.float32, over_smaller: bool) -> np.ndarray:
    """Of boxes of one group, best first, those that stay."""
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
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area: as in PyTorch, they never fall
            remaining = rest[~(shared / whole > threshold)]
    return order[np.array(kept)]
