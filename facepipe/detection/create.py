"""From settings to a detector."""

from functools import partial
from typing import TYPE_CHECKING

from facepipe.detection.detectors import DETECTORS

if TYPE_CHECKING:
    from facepipe.detection.detector import Detector
    from facepipe.detection.settings import DetectorSettings


def create_detector(
    settings: "DetectorSettings | None" = None, device: str = "auto", engine: str = "torch"
) -> "Detector":
    """The detector that the settings describe.

    Args:
        settings: None takes the preset ``sphereface``.
        device: ``auto``, ``cpu``, ``cuda`` ...
        engine: ``torch`` or ``onnx``, see `facepipe.engines.choose_engine`; YuNet runs by OpenCV whatever it is.

    Raises:
        DeviceError: there is no such device.
        ModelError: the detector's weights are not at hand.
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
