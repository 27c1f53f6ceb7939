"""Cutting an aligned crop out of an image."""

import cv2
import numpy as np

# OpenCV 4 cannot warp an image with a side of 32 767 pixels or more.
_MOST_SIDE = 32_000


def warp(image: np.ndarray, crop_to_image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The crop whose pixel (x, y) shows the image at ``crop_to_image`` · (x, y, 1).

    Bilinear, black outside the image, like MATLAB's ``imtransform``. If a crop pixel spans two or more image
    pixels, the image is first averaged in blocks, since bilinear sampling would skip pixels and alias.

    Args:
        image: uint8 H×W×3.
        crop_to_image: float64 2×3, 0-based pixel centres on both sides.
        height, width: size of the crop.

    Returns:
        uint8 height×width×3.
    """
    matrix = np.array(crop_to_image, np.float64)
    factor = block_side(matrix, image.shape)
    if factor >= 2 or max(image.shape[:2]) > _MOST_SIDE:
        image, matrix = _averaged(image, matrix, height, width, factor)
    return cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )


def block_side(matrix: np.ndarray, shape: tuple[int, ...]) -> int:
    """Side of the blocks in which an image of this shape is averaged, in pixels; 1 means no averaging."""
    # A factor larger than the image would only use more memory.
    return max(1, min(int(np.hypot(matrix[0, 0], matrix[1, 0])), max(shape[:2])))


def covered(
    matrix: np.ndarray, shape: tuple[int, ...], height: int, width: int, factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """First pixel (x, y) of the part of an image that a crop covers, in which blocks are counted, and its end.

    Args:
        matrix: float64 2×3, crop pixels to image pixels.
        shape: of the image.
        height, width: of the crop.
        factor: side of a block.

    Returns:
        int64 2 each; the part extends beyond the image by one block at most.
    """
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], float)
    reached = corners @ matrix.T
    size = np.array(shape[1::-1])
    # One black block around the image is enough, however far the crop extends.
    low = np.clip(np.floor(reached.min(0)).astype(int) - 2 * factor, -factor, size)
    high = np.clip(np.ceil(reached.max(0)).astype(int) + 2 * factor, low + 1, size + factor)
    return low, high


def in_blocks(matrix: np.ndarray, low: np.ndarray, factor: int) -> np.ndarray:
    """The map from crop pixels to blocks of side ``factor`` that begin at pixel ``low``."""
    # The centre of block 0 lies at low + (factor − 1)/2.
    moved = matrix.copy()
    moved[:, 2] -= low + (factor - 1) / 2
    return moved / factor


def _averaged(
    image: np.ndarray, matrix: np.ndarray, height: int, width: int, factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that the crop covers, averaged in blocks of factor×factor, and the map into it."""
    low, high = covered(matrix, image.shape, height, width, factor)
    blocks = -(-(high - low) // factor)
    region = _cut_with_border(image, low, blocks * factor)
    small = cv2.resize(region, (int(blocks[0]), int(blocks[1])), interpolation=cv2.INTER_AREA)
    return small, in_blocks(matrix, low, factor)


def _cut_with_border(image: np.ndarray, low: np.ndarray, size: np.ndarray) -> np.ndarray:
    region = np.zeros((int(size[1]), int(size[0]), 3), np.uint8)
    first = np.maximum(low, 0)
    last = np.minimum(low + size, (image.shape[1], image.shape[0]))
    if (last > first).all():
        (x, y), (x_end, y_end) = first - low, last - low
        region[y:y_end, x:x_end] = image[first[1] : last[1], first[0] : last[0]]
    return region
