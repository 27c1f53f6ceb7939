"""Face detection: images in, `Faces` out."""

from facepipe.detection.choose import FACE_RULES, choose
from facepipe.detection.detector import Detector, create_detector, detector_settings_of
from facepipe.detection.detectors import DETECTORS, PRESETS
from facepipe.detection.faces import Faces
from facepipe.detection.settings import DetectorSettings, preset, with_present_names

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
    "with_present_names",
]
