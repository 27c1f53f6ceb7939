"""The detectors by name.

A further one is a file with a `Detector`, a row of ``DETECTORS`` and its settings in `facepipe.detection.PRESETS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facepipe.detection.detector import Detector
    from facepipe.detection.settings import DetectorSettings


@dataclass(frozen=True)
class Kind:
    """One detector.

    Attributes:
        create: settings, the name of a device (``auto``, ``cpu``, ``cuda`` ...) and an engine (``torch`` or ``onnx``) →
            the detector; it imports what it needs when it is called.
        stages: number of thresholds.
        window: the smallest ``min_face`` it can search for, in pixels.
        preset: name of the settings it has where none are named.
    """

    create: "Callable[[DetectorSettings, str, str], Detector]"
    stages: int
    window: float
    preset: str


def _mtcnn(settings: "DetectorSettings", device: str, engine: str) -> "Detector":
    from facepipe.detection.cascade import MTCNN

    return MTCNN(settings, device, engine)


def _mtcnn_matlab(settings: "DetectorSettings", device: str, engine: str) -> "Detector":
    from facepipe.detection.matlab import MatlabMTCNN

    return MatlabMTCNN(settings, device, engine)


def _mtcnn_tensorflow(settings: "DetectorSettings", device: str, engine: str) -> "Detector":
    from facepipe.detection.matlab import MatlabMTCNN

    return MatlabMTCNN(settings, device, engine, mirror=False)


def _yunet(settings: "DetectorSettings", device: str, engine: str) -> "Detector":  # noqa: ARG001
    from facepipe.detection.yunet import YuNet
    from facepipe.weights import detector_weights

    return YuNet(detector_weights("yunet"), settings)


DETECTORS = {
    "mtcnn": Kind(_mtcnn, stages=3, window=12, preset="sphereface"),
    "mtcnn-matlab": Kind(_mtcnn_matlab, stages=3, window=12, preset="sphereface-matlab"),
    "mtcnn-tensorflow": Kind(_mtcnn_tensorflow, stages=3, window=12, preset="insightface"),
    "yunet": Kind(_yunet, stages=1, window=10, preset="yunet"),
}


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

    return RepeatedSearch(detector, settings)
