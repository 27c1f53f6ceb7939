"""Reducing images before a search, and bringing back what was found in them."""

import cv2
import numpy as np

from facepipe.detection.faces import Faces


def reduced(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image in this size, each pixel the mean of those it covers; the image itself where it has that size."""
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def enlarged(faces: Faces, small: tuple[int, int], full: tuple[int, int]) -> Faces:
    """Faces of an image that was reduced to (height, width) ``small``, in the pixels of the ``full`` one."""
    if small == full:
        return faces
    across, down = full[1] / small[1], full[0] / small[0]
    # The edge of the first pixel, at −½, stays where it is.
    return faces.moved((across, down), ((across - 1) / 2, (down - 1) / 2))
