"""Area resampling of whole images and of many boxes at once, from summed-area tables.

Output bin k of n over a side of w pixels is the mean of pixels ⌊kw/n⌋ … ⌈(k+1)w/n⌉−1, the rule of
PyTorch's adaptive average pooling, which MTCNN's published PyTorch form uses at every stage. With a
summed-area table (Crow 1984, "Summed-area tables for texture mapping") a bin costs four reads however
large it is, so candidates of any size from any image are cut out in one batch.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Tables:
    """Summed-area tables of several images in one buffer, images of one size side by side.

    Attributes:
        sums: int32 T×3, all tables row by row. Sums wrap around at 2³²; differences stay right.
        start: int64 B, row of ``sums`` where an image's table begins.
        height, width: int64 B, pixels of the image; its table has one row and one column more.
    """

    sums: Tensor
    start: Tensor
    height: Tensor
    width: Tensor


def build_tables(images: list[np.ndarray], device: torch.device) -> Tables:
    """Summed-area tables of uint8 H×W×3 images."""
    height = np.array([image.shape[0] for image in images], np.int64)
    width = np.array([image.shape[1] for image in images], np.int64)
    length = (height + 1) * (width + 1)
    start = np.cumsum(length) - length
    sums = np.empty((int(length.sum()), 3), np.int32)
    for image, first, count in zip(images, start, length, strict=True):
        sums[first : first + count] = cv2.integral(image, sdepth=cv2.CV_32S).reshape(count, 3)
    return Tables(*(torch.from_numpy(values).to(device) for values in (sums, start, height, width)))


def shrink(tables: Tables, first: int, count: int, size: tuple[int, int]) -> Tensor:
    """Images ``first`` … ``first + count`` − 1, all of one size, resampled to ``size`` (height, width).

    Returns:
        float32 count×3×h×w, channels_last, values (x − 127.5)/128.
    """
    height, width = int(tables.height[first]), int(tables.width[first])
    begin = int(tables.start[first])
    rows = count * (height + 1) * (width + 1)
    table = tables.sums[begin : begin + rows].view(count, height + 1, width + 1, 3)
    top, bottom = _edges(tables.height[first], size[0]).chunk(2)
    left, right = _edges(tables.width[first], size[1]).chunk(2)
    band = table.index_select(1, bottom).sub_(table.index_select(1, top))
    sums = band.index_select(2, right).sub_(band.index_select(2, left))
    area = (bottom - top)[:, None, None] * (right - left)[:, None]
    return _normalised(sums, area)


def cut(tables: Tables, image: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Boxes of any images resampled to side×side.

    Args:
        tables: of all images.
        image: int64 N, the image of each box.
        boxes: int64 N×4, (left, top, right, bottom), right and bottom not included; may reach beyond the image,
            whose outside is black (pixel value 0).
        side: pixels of the output.

    Returns:
        float32 N×3×side×side, channels_last, values (x − 127.5)/128.
    """
    corner, length = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    x, y = (corner[:, :, None] + _edges(length[:, :, None], side)).unbind(1)
    # Black adds nothing to a sum, so sums end at the image's edge; the bins and their areas do not.
    width, height = tables.width[image, None], tables.height[image, None]
    inner_x, inner_y = torch.minimum(x.clamp(min=0), width), torch.minimum(y.clamp(min=0), height)
    row = tables.start[image, None] + inner_y * (width + 1)
    corners = tables.sums.index_select(0, (row[:, :, None] + inner_x[:, None, :]).view(-1))
    corners = corners.view(len(boxes), 2 * side, 2 * side, 3)
    band = corners[:, side:] - corners[:, :side]
    sums = band[:, :, side:] - band[:, :, :side]
    area = (y[:, side:] - y[:, :side])[:, :, None, None] * (x[:, side:] - x[:, :side])[:, None, :, None]
    return _normalised(sums, area)


def _edges(length: Tensor, count: int) -> Tensor:
    """Where the bins of a side begin, then where they end; int64 ... × 2·count."""
    step = torch.arange(count, device=length.device)
    factor = torch.cat([step, step + 1])
    rounding = torch.cat([torch.zeros_like(step), torch.full_like(step, count - 1)])
    return torch.div(factor * length + rounding, count, rounding_mode="floor")


def _normalised(sums: Tensor, area: Tensor) -> Tensor:
    scale = area.to(torch.float32).mul_(128).reciprocal_()
    return torch.mul(sums, scale).sub_(127.5 / 128).permute(0, 3, 1, 2)
