"""The region around an annotated face of an IJB-A image."""

from pathlib import Path

import numpy as np

from facepipe.errors import ImageError
from facepipe.images import MAX_PIXELS, read_rgb

# The central 60 % of the region, the fallback if no face is found, is then the annotated square.
_AROUND = 1 / 0.6


def read_region(root: Path, file: str, box: np.ndarray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A square around the box, whose longer side is 60 % of the square's; black outside of the image.

    Args:
        root: the folder with ``img`` and ``frame``.
        file: name in the lists; the actual extension may differ.
        box: float 4, (left, top, width, height).
        max_pixels: of the image, see `read_rgb`.

    Returns:
        uint8 S×S×3 RGB.

    Raises:
        ImageError: the image cannot be read, or there is no box or an empty one.
    """
    if not np.isfinite(box).all() or min(box[2:]) <= 0:
        raise ImageError(f"{root / file}: the list has no box for this face")
    image = read_rgb(_find(root, file), max_pixels)
    left, top, width, height = box
    side = max(1, round(max(width, height) * _AROUND))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    if side * side > max_pixels:
        raise ImageError(f"{root / file}: a region {side} pixels wide exceeds the limit; the box must be wrong")
    region = np.zeros((side, side, 3), np.uint8)
    inside = image[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]
    down, right = max(-y, 0), max(-x, 0)
    region[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    return region


def _find(root: Path, file: str) -> Path:
    exact = root / file
    if exact.is_file():
        return exact
    try:
        for path in exact.parent.iterdir():
            if path.stem == exact.stem:
                return path
    except OSError as error:
        raise ImageError(f"{exact.parent}: no such folder; PATH must have IJB-A's folders img and frame") from error
    raise ImageError(f"{exact}: no such image, with any extension")
