"""Samples of other depths brought to eight bits."""

import numpy as np

_TWELVE_BITS = 4095


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
