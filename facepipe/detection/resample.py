"""Area resampling of whole images and of many boxes at once, from summed-area tables.

Output bin k of n over a side of w pixels is the mean of pixels ⌊kw/n⌋ … ⌈(k+1)w/n⌉−1, the rule of
PyTorch's adaptive average pooling, which facenet-pytorch's MTCNN uses at every stage. With a
summed-area table (Crow 1984, "Summed-area tables for texture mapping") a bin costs four reads whatever its
size, so candidates of any size from any image are cropped in one batch.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facepipe.detection.arrays import Arrays


@dataclass(frozen=True)
class Tables:
    """Summed-area tables of several images in one buffer, images of equal size next to each other.

    Attributes:
        arrays: operations of the library and device that hold the tables.
        sums: int32 T×3, all tables row by row. Sums wrap around at 2³²; differences stay correct.
        start: int64 B, the row of ``sums`` at which an image's table begins.
        height, width: int64 B, pixels of the image; its table has one row and one column more.
    """

    arrays: Arrays
    sums: Any
    start: Any
    height: Any
    width: Any


def build_tables(images: list[np.ndarray], arrays: Arrays) -> Tables:
    """Summed-area tables of uint8 H×W×3 images."""
    height = np.array([image.shape[0] for image in images], np.int64)
    width = np.array([image.shape[1] for image in images], np.int64)
    length = (height + 1) * (width + 1)
    start = np.cumsum(length) - length
    sums = np.empty((int(length.sum()), 3), np.int32)
    for image, first, count in zip(images, start, length, strict=True):
        sums[first : first + count] = cv2.integral(image, sdepth=cv2.CV_32S).reshape(count, 3)
    on_device = [arrays.array(values) for values in (sums, start, height, width)]
    return Tables(arrays, *on_device)


def shrink(tables: Tables, first: int, count: int, size: tuple[int, int]) -> Any:
    """Images ``first`` … ``first + count`` − 1, all of one size, resampled to ``size`` (height, width).

    Returns:
        float32 count×3×h×w, channels_last, values (x − 127.5)/128.
    """
    arrays = tables.arrays
    height, width = int(tables.height[first]), int(tables.width[first])
    begin = int(tables.start[first])
    rows = count * (height + 1) * (width + 1)
    table = tables.sums[begin : begin + rows].reshape(count, height + 1, width + 1, 3)
    top, bottom = _edges(tables.height[first], size[0], arrays)
    left, right = _edges(tables.width[first], size[1], arrays)
    band = arrays.take(table, bottom, 1)
    band -= arrays.take(table, top, 1)
    sums = arrays.take(band, right, 2)
    sums -= arrays.take(band, left, 2)
    return arrays.scaled(sums, (bottom - top)[:, None, None] * (right - left)[:, None])


def cut(tables: Tables, image: Any, boxes: Any, side: int) -> Any:
    """Boxes from any of the images, resampled to side×side.

    Args:
        tables: of all images.
        image: int64 N, the image of each box.
        boxes: int64 N×4, (left, top, right, bottom), right and bottom exclusive; may extend beyond the image, where
            pixels are black (value 0).
        side: side of the output in pixels.

    Returns:
        float32 N×3×side×side, channels_last, values (x − 127.5)/128.
    """
    arrays = tables.arrays
    corner, length = boxes[:, :2, None], boxes[:, 2:, None] - boxes[:, :2, None]
    begin, end = _edges(length, side, arrays)
    edges = arrays.concat([corner + begin, corner + end], 2)
    x, y = edges[:, 0], edges[:, 1]
    # Black adds nothing to a sum, so sums stop at the image's edge, while the bins and their areas do not.
    width, height = tables.width[image][:, None], tables.height[image][:, None]
    inner_x, inner_y = arrays.minimum(x.clip(0), width), arrays.minimum(y.clip(0), height)
    row = tables.start[image][:, None] + inner_y * (width + 1)
    corners = arrays.take(tables.sums, (row[:, :, None] + inner_x[:, None, :]).reshape(-1), 0)
    corners = corners.reshape(len(boxes), 2 * side, 2 * side, 3)
    band = corners[:, side:] - corners[:, :side]
    sums = band[:, :, side:] - band[:, :, :side]
    area = (y[:, side:] - y[:, :side])[:, :, None, None] * (x[:, side:] - x[:, :side])[:, None, :, None]
    return arrays.scaled(sums, area)


def _edges(length: Any, count: int, arrays: Arrays) -> tuple[Any, Any]:
    return bins(length, count, arrays.arange(count))


def bins(length: Any, count: int, number: Any) -> tuple[Any, Any]:
    """Start and end of bins ``number`` of the ``count`` that a side of ``length`` pixels is divided into."""
    return number * length // count, ((number + 1) * length + count - 1) // count
