"""Boxes and landmarks as MTCNN counts them: pixels from 1, last row and column included."""

import torch
from torch import Tensor


def moved(boxes: Tensor, offsets: Tensor, extra: int) -> Tensor:
    """Boxes moved by regression offsets, which count in box sides."""
    side = boxes[:, 2:] - boxes[:, :2] + extra
    return boxes + offsets * torch.cat([side, side], 1)


def square(boxes: Tensor) -> Tensor:
    """The square of the longer side about the same centre."""
    side = boxes[:, 2:] - boxes[:, :2]
    longest = side.amax(1, keepdim=True)
    corner = boxes[:, :2] + side * 0.5 - longest * 0.5
    return torch.cat([corner, corner + longest], 1)


def placed(boxes: Tensor, points: Tensor) -> Tensor:
    """Landmarks N×5×2 in image pixels, counted from 1 as boxes are, from O-Net's fractions of the box."""
    side = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    return side * points.view(-1, 2, 5).transpose(1, 2) + boxes[:, None, :2] - 1
