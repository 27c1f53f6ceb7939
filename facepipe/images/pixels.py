"""Pixels as uint8 RGB: the check of arrays from outside, and conversion from other depths."""

import numpy as np

from facepipe.errors import ImageError

_TWELVE_BITS = 4095


def require_pixels(image: object) -> np.ndarray:
    """Check pixels from outside: uint8 H×W×3 RGB, or an error that says what they are instead.

    Raises:
        ImageError: not an array, another type or shape, or no pixels; the message says how to convert.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a NumPy array, uint8 H×W×3 RGB, not {type(image).__name__}{_of(image)}")
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return image
    raise ImageError(f"an image must be uint8 H×W×3 RGB, not {image.dtype} {image.shape}; {_advice(image)}")


def _of(image: object) -> str:
    return "; use np.asarray(image.convert('RGB'))" if hasattr(image, "convert") else "; use read_rgb"


def _advice(image: np.ndarray) -> str:
    if image.size == 0:
        return "it has no pixels"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.floating):
        return "for values 0…1 use (255 * image).round().astype('uint8')"
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.integer):
        return "scale it to 0…255 and use .astype('uint8')"
    if image.ndim == 2:
        return "for a grey image use np.repeat(image[:, :, None], 3, 2)"
    if image.ndim == 3 and image.shape[2] == 4:
        return "drop the alpha channel with image[:, :, :3]"
    return "or use read_rgb"


def eight_bits(values: np.ndarray) -> tuple[np.ndarray, str]:
    """16-bit samples as uint8, and a remark if their depth had to be guessed.

    Scanners and X-ray or machine-vision cameras store 10 or 12 bits in 16-bit files without saying so; read as 16 bits
    such pictures are nearly black. If no sample uses the upper four bits, the samples are treated as 12-bit.

    Args:
        values: integers of any shape, 0 to 65535; other values are clipped.
    """
    clipped = np.clip(values.astype(np.int64), 0, 65535)
    largest = int(clipped.max(initial=0))
    if 255 < largest <= _TWELVE_BITS:
        brightened = (clipped * 255 + _TWELVE_BITS // 2) // _TWELVE_BITS
        return brightened.astype(np.uint8), f"16-bit samples up to {largest} only, treated as 12-bit"
    return ((clipped + 128) // 257).astype(np.uint8), ""


def eight_bits_of_floats(values: np.ndarray) -> np.ndarray:
    """Floats as uint8: treated as 0…1 if none is above 1, otherwise as 0…255."""
    finite = values[np.isfinite(values)]
    white = 1.0 if finite.size == 0 or finite.max() <= 1 else 255.0
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=white, neginf=0.0)
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    """H×W as H×W×3."""
    return np.repeat(grey[:, :, None], 3, axis=2)
