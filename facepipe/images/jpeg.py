"""JPEG, with a decoder that reports damage: others silently fill in whatever an error destroyed."""

import numpy as np
import simplejpeg
from PIL import Image


def decode_jpeg(data: bytes, picture: Image.Image) -> tuple[np.ndarray | None, str]:
    """Pixels as stored, uint8 H×W×3, and a description of any damage.

    Pixels are None for CMYK, whose colours Pillow converts better, and if this decoder found damage: Pillow then
    decides how much of the picture can be shown.

    Args:
        data: the encoded picture.
        picture: opened by Pillow but not loaded yet.
    """
    if picture.mode not in ("RGB", "L", "CMYK"):
        return None, ""
    try:
        pixels = simplejpeg.decode_jpeg(data, "CMYK" if picture.mode == "CMYK" else "RGB", strict=True)
    except ValueError as error:
        return None, str(error).strip().rstrip(".")
    return (None if picture.mode == "CMYK" else pixels), ""
