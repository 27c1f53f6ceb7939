"""Concatenate the embeddings of image and mirror image, as SphereFace does."""

from typing import TYPE_CHECKING

from facepipe.flips import FLIPS, FlipRule

if TYPE_CHECKING:
    import numpy as np


def image_then_mirror(straight: "np.ndarray", mirrored: "np.ndarray") -> "np.ndarray":
    """N×2D: the image's embedding, then the mirror image's."""
    import numpy as np

    return np.concatenate([straight, mirrored], axis=1)


FLIPS.add("concat", FlipRule("the mirror image's embedding appended (SphereFace)", image_then_mirror, halves=True))
