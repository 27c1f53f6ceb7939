"""The one check of pixels that come from outside."""

import numpy as np

from facepipe.errors import ImageError


def require_pixels(image: object) -> np.ndarray:
    """The one check of pixels that come from outside: uint8 H×W×3 RGB, or an error that says what else it is.

    Raises:
        ImageError: no array, another type or shape, or no pixels; the line says how to convert.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a NumPy array, uint8 H×W×3 RGB, not {type(image).__name__}{_of(image)}")
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return image
    raise ImageError(f"an image must be uint8 H×W×3 RGB, not {image.dtype} {image.shape}; {_advice(image)}")


def _of(image: object) -> str:
    return "; np.asarray(image.convert('RGB')) makes one" if hasattr(image, "convert") else "; use read_rgb"


def _advice(image: np.ndarray) -> str:
    if image.size == 0:
        return "it has no pixels"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.floating):
        return "of values 0…1 take (255 * image).round().astype('uint8')"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.integer):
        return "scale it to 0…255 and take .astype('uint8')"
    if image.ndim == 2:
        return "of a grey one take np.repeat(image[:, :, None], 3, 2)"
    if image.ndim == 3 and image.shape[2] == 4:
        return "drop the alpha channel with image[:, :, :3]"
    return "or use read_rgb"
