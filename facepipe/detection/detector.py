"""What the pipeline asks of a detector."""

from collections.abc import Sequence
from typing import Any, Protocol

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


def detector_settings_of(detector: Detector) -> dict[str, Any]:
    """A detector's settings as plain JSON values, for the record beside what was found.

    Args:
        detector: with a `facepipe.detection.DetectorSettings` in ``settings``, as those of ``DETECTORS`` have it; of
            any other the name of its class stands as ``detector``.
    """
    settings = getattr(detector, "settings", None)
    if settings is None:
        return {"detector": type(detector).__name__}
    values: dict[str, Any] = settings.to_dict()
    return values
