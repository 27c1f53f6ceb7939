"""Face detection: images in, `Faces` out."""

from facepipe.detection.choose import FACE_RULES, choose
from facepipe.detection.detector import Detector, detector_settings_of
from facepipe.detection.faces import Faces
from facepipe.detection.registry import DETECTORS, create_detector
from facepipe.detection.settings import PRESETS, DetectorSettings, preset

__all__ = [
    "DETECTORS",
    "FACE_RULES",
    "PRESETS",
    "Detector",
    "DetectorSettings",
    "Faces",
    "choose",
    "create_detector",
    "detector_settings_of",
    "preset",
]
