"""Face detection: images in, `Faces` out."""

from facepipe.detection.choose import RULES, choose
from facepipe.detection.detector import Detector, settings_of
from facepipe.detection.faces import Faces
from facepipe.detection.registry import DETECTORS, create_detector
from facepipe.detection.settings import PRESETS, DetectorSettings, preset

__all__ = [
    "DETECTORS",
    "PRESETS",
    "RULES",
    "Detector",
    "DetectorSettings",
    "Faces",
    "choose",
    "create_detector",
    "preset",
    "settings_of",
]
