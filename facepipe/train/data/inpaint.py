"""Inpainting of the black border around a face that was cut from a tightly cropped photo."""

import cv2
import numpy as np

DARKEST = 6
"""Largest value that counts as black: lossy formats do not preserve 0."""

LEAST, MOST = 0.01, 0.7
"""Range of the border's share of the crop in which it is inpainted; above it, too little is left to inpaint from."""

_OUTSIDE = 128
_SEAM = np.ones((5, 5), np.uint8)
_ANY_NEIGHBOUR = 8


def inpaint_outside(crop: np.ndarray) -> np.ndarray:
    """Replace black regions that touch the border of the crop by their nearest colours, smoothed.

    Two pixels along the seam are replaced too, where compression has mixed black and skin.

    Args:
        crop: uint8 H×W×3.

    Returns:
        uint8 H×W×3; the crop itself if there is nothing to inpaint.
    """
    black = cv2.inRange(crop, (0, 0, 0), (DARKEST, DARKEST, DARKEST))
    edges = (black[0], black[-1], black[:, 0], black[:, -1])
    if not any(edge.any() for edge in edges):
        return crop
    outside = _touching_border(black)
    if not LEAST < np.count_nonzero(outside) / outside.size < MOST:
        return crop
    outside = cv2.dilate(outside, _SEAM)
    if outside[::2, ::2].all():
        return crop
    # At half size: invisible in a smooth region, and four times as fast.
    colours = cv2.resize(_nearest(crop[::2, ::2], outside[::2, ::2]), outside.shape[::-1])
    return np.asarray(cv2.copyTo(colours, outside, crop.copy()))


def _nearest(crop: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The crop with each outside pixel set to the nearest inside one, slightly smoothed."""
    _, label = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    inside = np.flatnonzero(outside == 0)
    # OpenCV gives each inside pixel its own label, and each outside pixel the label of the nearest.
    pixel = np.zeros(int(label.max()) + 1, np.intp)
    pixel[label.ravel()[inside]] = inside
    filled = crop.reshape(-1, 3).take(pixel.take(label.ravel()), axis=0)
    return np.asarray(cv2.blur(filled.reshape(crop.shape), (5, 5)))


def _touching_border(black: np.ndarray) -> np.ndarray:
    """uint8 H×W, 255 where black is connected to the border."""
    framed = cv2.copyMakeBorder(black, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(framed, None, (0, 0), _OUTSIDE, flags=_ANY_NEIGHBOUR)
    return np.asarray(cv2.inRange(framed[1:-1, 1:-1], _OUTSIDE, _OUTSIDE))
