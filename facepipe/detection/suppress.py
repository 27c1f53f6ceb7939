"""Greedy non-maximum suppression of many groups of boxes at once, on any device, without a loop over boxes."""

import torch
from torch import Tensor

_PAIRS = 100_000
"""Pairs of boxes compared at once, few enough to stay in the CPU's cache."""
_BLOCK = 1024
"""Largest group that is compared as a whole; larger groups are compared in blocks of this size."""


def suppress(boxes: Tensor, scores: Tensor, group: Tensor, threshold: float, over_smaller: bool = False) -> Tensor:
    """Indices of the boxes that survive greedy suppression within their group.

    A box is suppressed if a surviving box of its group with a higher score (or an equal one and a lower index)
    overlaps it by more than ``threshold``.

    Args:
        boxes: float N×4, (left, top, right, bottom).
        scores: float N.
        group: int64 N, non-negative; boxes of different groups are not compared.
        threshold: largest permitted overlap.
        over_smaller: if true, overlap is intersection over the smaller of the two boxes, with sides in whole pixels
            (MTCNN's "Min" rule); otherwise intersection over union.

    Returns:
        int64 K, ordered by group, then by decreasing score.
    """
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64, device=boxes.device)
    order = torch.argsort(scores, descending=True, stable=True)
    order = order[torch.argsort(group[order], stable=True)]
    sizes = torch.unique_consecutive(group[order], return_counts=True)[1]
    starts = torch.cumsum(sizes, 0) - sizes
    keep = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    for members in _padded_chunks(starts, sizes):
        held = members >= 0
        padded = boxes[order[members.clamp(min=0)]]
        keep[members[held]] = _survivors(padded, held, threshold, over_smaller)[held]
    return order[keep]


def _padded_chunks(starts: Tensor, sizes: Tensor) -> list[Tensor]:
    """Groups of similar size together: int64 G×K positions, −1 where a group is shorter than K."""
    by_size = torch.argsort(sizes, descending=True)
    widths = sizes[by_size].cpu().tolist()
    chunks, first = [], 0
    while first < len(widths):
        width = widths[first]
        count = max(1, _PAIRS // (min(width, _BLOCK) ** 2))
        rows = by_size[first : first + count]
        column = torch.arange(width, device=starts.device)
        inside = column < sizes[rows, None]
        chunks.append(torch.where(inside, starts[rows, None] + column, -1))
        first += count
    return chunks


def _survivors(boxes: Tensor, held: Tensor, threshold: float, over_smaller: bool) -> Tensor:
    """Which of G×K boxes, best first in every row, survive; bool G×K."""
    keep = torch.zeros_like(held)
    for first in range(0, boxes.shape[1], _BLOCK):
        block = slice(first, first + _BLOCK)
        alive = held[:, block].clone()
        for earlier in range(0, first, _BLOCK):
            before = slice(earlier, earlier + _BLOCK)
            overlap = _overlap(boxes[:, before], boxes[:, block], over_smaller) > threshold
            alive &= ~(overlap & keep[:, before, None]).any(1)
        keep[:, block] = _settle(_overlap(boxes[:, block], boxes[:, block], over_smaller) > threshold, alive)
    return keep


def _settle(overlaps: Tensor, alive: Tensor) -> Tensor:
    """Greedy suppression in rows of boxes sorted best first, from the G×K×K table of overlaps.

    Start with all boxes kept and repeatedly drop those overlapped by a better kept box. This converges to the
    greedy result: after step n the first n boxes of every row are final.
    """
    beaten_by = overlaps.triu_(1).to(torch.float32)
    keep = alive
    while True:
        beaten = torch.bmm(keep.to(torch.float32)[:, None], beaten_by)[:, 0] > 0
        settled = alive & ~beaten
        if torch.equal(settled, keep):
            return keep
        keep = settled


def _overlap(a: Tensor, b: Tensor, over_smaller: bool) -> Tensor:
    """Overlap of every box of ``a`` with every box of ``b``, G×K×4 and G×L×4 to G×K×L."""
    extra = 1.0 if over_smaller else 0.0
    left, top, right, bottom = a[:, :, None].unbind(-1)
    left_b, top_b, right_b, bottom_b = b[:, None].unbind(-1)
    width = torch.minimum(right, right_b).sub_(torch.maximum(left, left_b)).add_(extra).clamp_(min=0)
    height = torch.minimum(bottom, bottom_b).sub_(torch.maximum(top, top_b)).add_(extra).clamp_(min=0)
    shared = width.mul_(height)
    area_a = (right - left + extra) * (bottom - top + extra)
    area_b = (right_b - left_b + extra) * (bottom_b - top_b + extra)
    whole = torch.minimum(area_a, area_b) if over_smaller else (area_a + area_b).sub_(shared)
    return shared.div_(whole)
