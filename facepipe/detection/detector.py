"""What the pipeline asks of a detector."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from facepipe.detection.faces import Faces


class Detector(Protocol):
    """Finds faces: MTCNN, another network, or anything that can be called like one."""

    def __call__(self, images: Sequence[np.ndarray], /) -> list[Faces]:
        """The faces of uint8 H×W×3 RGB images, in any sizes; one `Faces` per image, best score first.

        Raises:
            FacepipeError: an image is not uint8 H×W×3.
        """
        ...
