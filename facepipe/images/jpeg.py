"""JPEG by a decoder that tells of damage: others fill up what an error inside leaves and say nothing."""

import numpy as np
import simplejpeg
from PIL import Image


def decode_jpeg(data: bytes, picture: Image.Image) -> tuple[np.ndarray | None, str]:
    """Pixels as stored, uint8 H×W×3, and what is wrong with them.

    Pixels are None of a picture in CMYK, whose colours Pillow knows better, and where this decoder found damage: then
    Pillow decides how much of it can be shown.

    Args:
        data: the encoded picture.
        picture: as Pillow opened it, not loaded yet.
    """
    if picture.mode not in ("RGB", "L", "CMYK"):
        return None, ""
    try:
        pixels = simplejpeg.decode_jpeg(data, "CMYK" if picture.mode == "CMYK" else "RGB", strict=True)
    except ValueError as error:
        return None, str(error).strip().rstrip(".")
    return (None if picture.mode == "CMYK" else pixels), ""
