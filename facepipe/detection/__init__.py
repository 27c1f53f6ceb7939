"""Face detection: images in, `Faces` out."""

from facepipe.detection.cascade import PRESETS, Detector, Search, Settings, preset
from facepipe.detection.choose import RULES, choose
from facepipe.detection.faces import Faces

__all__ = ["PRESETS", "RULES", "Detector", "Faces", "Search", "Settings", "choose", "preset"]
