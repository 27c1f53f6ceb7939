"""Checking images before a search, reducing large ones, and mapping the faces found back to full size."""

import cv2
import numpy as np

from facepipe.detection.faces import Faces
from facepipe.errors import FacepipeError


def check_image(image: np.ndarray) -> None:
    """Require a non-empty uint8 H×W×3 image.

    Raises:
        FacepipeError: it is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise FacepipeError(f"an image must be uint8 H×W×3 RGB, not {image.dtype} {image.shape}; use read_rgb")


def searched_size(shape: tuple[int, ...], max_pixels: int) -> tuple[int, int]:
    """The (height, width) at which an image of this shape is searched."""
    height, width = shape[:2]
    ratio = min(1.0, (max_pixels / (height * width)) ** 0.5)
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def reduced(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image at this size, each pixel the mean of those it covers; the image itself if it already has that size."""
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def enlarged(faces: Faces, small: tuple[int, int], full: tuple[int, int]) -> Faces:
    """Faces found in an image reduced to (height, width) ``small``, in pixels of the ``full`` image."""
    if small == full:
        return faces
    across, down = full[1] / small[1], full[0] / small[0]
    # The edge of the first pixel, at −½, stays where it is.
    return faces.moved((across, down), ((across - 1) / 2, (down - 1) / 2))
