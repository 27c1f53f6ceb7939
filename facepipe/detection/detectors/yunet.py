"""YuNet, run by OpenCV; see `facepipe.detection.yunet`."""

from typing import TYPE_CHECKING

from facepipe.detection.detectors import DETECTORS, PRESETS, DetectorKind, Preset
from facepipe.detection.settings import DetectorSettings

if TYPE_CHECKING:
    from facepipe.detection.detector import Detector


def _yunet(settings: DetectorSettings, device: str, engine: str) -> "Detector":  # noqa: ARG001
    from facepipe.detection.yunet import YuNet
    from facepipe.weights import detector_weights

    return YuNet(detector_weights("yunet"), settings)


DETECTORS.add(
    "yunet", DetectorKind("a single fast network; needs 'facepipe models pull yunet'", _yunet, 1, 10, preset="yunet")
)
PRESETS.add(
    "yunet",
    Preset(
        "minimum face 10, threshold 0.8",
        DetectorSettings("yunet", min_face=10, factor=0.25, thresholds=(0.8,), lenient=None, confident_score=0.9),
    ),
)
