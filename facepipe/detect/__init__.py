"""Face detection: images in, `Faces` out."""

from facepipe.detect.cascade import PRESETS, Detector, Search, Settings, preset
from facepipe.detect.choose import RULES, choose
from facepipe.detect.faces import Faces

__all__ = ["PRESETS", "RULES", "Detector", "Faces", "Search", "Settings", "choose", "preset"]
