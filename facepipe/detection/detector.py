"""The interface of a detector, how one is created, and its settings as a record."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from facepipe.detection.detectors import DETECTORS
from facepipe.detection.faces import Faces

if TYPE_CHECKING:
    from facepipe.detection.settings import DetectorSettings


class Detector(Protocol):
    """Finds faces: MTCNN, another network, or any callable with this signature."""

    def __call__(self, images: Sequence[np.ndarray], /) -> list[Faces]:
        """The faces of uint8 H×W×3 RGB images of any size; one `Faces` per image, best score first.

        Raises:
            FacepipeError: an image is not uint8 H×W×3.
        """
        ...


def create_detector(
    settings: "DetectorSettings | None" = None, device: str = "auto", engine: str = "torch"
) -> Detector:
    """Create the detector that the settings describe.

    Args:
        settings: None means the preset ``sphereface``.
        device: ``auto``, ``cpu``, ``cuda`` ...
        engine: ``torch`` or ``onnx``, see `facepipe.engines.choose_engine`; YuNet always runs in OpenCV.

    Raises:
        DeviceError: there is no such device.
        ModelError: the detector's weights are not available.
    """
    from facepipe.detection.settings import DetectorSettings

    settings = settings or DetectorSettings()
    kind = DETECTORS[settings.detector]
    detector = kind.create(settings, device, engine)
    if not (settings.border or settings.turns):
        return detector
    from facepipe.detection.repeated import RepeatedSearch

    last = settings.for_last_search()
    lenient = None if last is None else partial(kind.create, last, device, engine)
    return RepeatedSearch(detector, settings, lenient)


def detector_settings_of(detector: Detector) -> dict[str, Any]:
    """A detector's settings as plain JSON values, to be recorded with what it found.

    Args:
        detector: if it has a `facepipe.detection.DetectorSettings` in ``settings``, as all detectors of ``DETECTORS``
            do, these are returned; otherwise only the name of its class, as ``detector``.
    """
    settings = getattr(detector, "settings", None)
    if settings is None:
        return {"detector": type(detector).__name__}
    values: dict[str, Any] = settings.to_dict()
    return values
