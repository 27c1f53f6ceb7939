"""Boxes and landmarks in MTCNN's coordinates: pixels count from 1, last row and column included.

Arrays are NumPy's or PyTorch's.
"""

from typing import Any


def moved(boxes: Any, offsets: Any, extra: int) -> Any:
    """Boxes moved by regression offsets, which are fractions of the box sides."""
    side = boxes[:, 2:] - boxes[:, :2] + extra
    return boxes + offsets * side[:, [0, 1, 0, 1]]


def square(boxes: Any) -> Any:
    """The square with the longer side and the same centre."""
    side = boxes[:, 2:] - boxes[:, :2]
    longest = side[:, :1].clip(min=side[:, 1:])
    corners = (boxes[:, :2] + side * 0.5 - longest * 0.5)[:, [0, 1, 0, 1]]
    corners[:, 2:] += longest
    return corners


def placed(boxes: Any, points: Any) -> Any:
    """Landmarks N×5×2 in image pixels, counted from 1 like boxes, from O-Net's fractions of the box."""
    side = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    return side * points.reshape(-1, 2, 5).swapaxes(1, 2) + boxes[:, None, :2] - 1
