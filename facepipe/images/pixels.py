"""Pixels as uint8 RGB: the check of arrays from outside, and conversion from other depths."""

import numpy as np

from facepipe.errors import ImageError

_TWELVE_BITS = 4095


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


def eight_bits(values: np.ndarray) -> tuple[np.ndarray, str]:
    """16-bit samples as uint8, and a remark where their depth had to be guessed.

    Scanners and X-ray or machine-vision cameras put 10 or 12 bits into files of 16 without saying so; taken at their
    word such pictures are nearly black. Where no sample uses the upper four bits, twelve are taken for full.

    Args:
        values: integers of any shape, 0 to 65535; what lies outside is clipped.
    """
    clipped = np.clip(values.astype(np.int64), 0, 65535)
    largest = int(clipped.max(initial=0))
    if 255 < largest <= _TWELVE_BITS:
        brightened = (clipped * 255 + _TWELVE_BITS // 2) // _TWELVE_BITS
        return brightened.astype(np.uint8), f"16-bit samples up to {largest} only, taken for 12-bit"
    return ((clipped + 128) // 257).astype(np.uint8), ""


def eight_bits_of_floats(values: np.ndarray) -> np.ndarray:
    """Floats as uint8: they are 0…1 when none of them is above 1, else 0…255."""
    finite = values[np.isfinite(values)]
    white = 1.0 if finite.size == 0 or finite.max() <= 1 else 255.0
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=white, neginf=0.0)
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    """H×W as H×W×3."""
    return np.repeat(grey[:, :, None], 3, axis=2)
