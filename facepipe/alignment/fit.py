"""Aligned crops of one size made to fit a network of another."""

import cv2
import numpy as np

from facepipe.errors import ImageError

CROP_FITS = ("middle", "resize")


def fit(crop: np.ndarray, size: tuple[int, int], how: str = "middle") -> np.ndarray:
    """Bring a uint8 h×w×3 crop to ``size`` (H, W).

    ``middle`` takes the middle columns of a crop that has the right height and is up to a quarter too wide
    (of 112×112, the middle 96 are SphereFace's 112×96); ``resize`` scales whatever it gets, shape ignored.

    Raises:
        ImageError: ``middle`` does not fit.
    """
    height, width = size
    tall, wide = crop.shape[:2]
    if (tall, wide) == size:
        return crop
    if how == "resize":
        return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA))
    if tall == height and width < wide <= 1.25 * width:
        left = (wide - width) // 2
        return crop[:, left : left + width]
    raise ImageError(
        f"the crop is {tall}×{wide}, the network takes {height}×{width}: align the photos with facepipe "
        "preprocess first, or set data.fit = 'resize'"
    )
