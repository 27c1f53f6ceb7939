"""The detectors and their presets by name: every file here is one, or some that are one network.

A file enters a `DetectorKind` in ``DETECTORS`` and the settings that it is used with in ``PRESETS``. What a detector
needs is imported when one is made, so that a list of names waits for no network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facepipe.errors import FacepipeError
from facepipe.registry import Registry

if TYPE_CHECKING:
    from facepipe.detection.detector import Detector
    from facepipe.detection.settings import DetectorSettings


@dataclass(frozen=True)
class DetectorKind:
    """One detector.

    Attributes:
        help: what it is, in a few words.
        create: settings, the name of a device (``auto``, ``cpu``, ``cuda`` ...) and an engine (``torch`` or ``onnx``) →
            the detector; it imports what it needs when it is called.
        stages: number of thresholds.
        smallest_face: the smallest ``min_face`` it can search for, in pixels.
        preset: name of the settings it has where none are named.
    """

    help: str
    create: "Callable[[DetectorSettings, str, str], Detector]"
    stages: int
    smallest_face: float
    preset: str


@dataclass(frozen=True)
class Preset:
    """Settings with a name.

    Attributes:
        help: whose they are, in a few words.
        settings: of a detector.
    """

    help: str
    settings: "DetectorSettings"


_FOLDERS = ("facepipe.detection.detectors",)
DETECTORS: Registry[DetectorKind] = Registry("detector", "facepipe.detectors", FacepipeError, _FOLDERS)
PRESETS: Registry[Preset] = Registry("detector preset", "facepipe.detector_presets", FacepipeError, _FOLDERS)
