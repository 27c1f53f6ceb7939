"""What every detector accepts, and at how many pixels it searches."""

import numpy as np

from facepipe.errors import FacepipeError


def check_image(image: np.ndarray) -> None:
    """Raises FacepipeError unless the image is uint8 H×W×3 and not empty."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise FacepipeError(f"an image must be uint8 H×W×3 RGB, not {image.dtype} {image.shape}; use read_rgb")


def searched_size(shape: tuple[int, ...], max_pixels: int) -> tuple[int, int]:
    """(height, width) in which an image of this shape is searched."""
    height, width = shape[:2]
    ratio = min(1.0, (max_pixels / (height * width)) ** 0.5)
    return max(1, round(height * ratio)), max(1, round(width * ratio))
