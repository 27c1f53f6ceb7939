"""The detectors and their presets by name: one file per network.

A file adds a `DetectorKind` to ``DETECTORS`` and its settings to ``PRESETS``. A detector's dependencies are imported
when one is created, so that listing names loads no network.
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
        help: a short description.
        create: settings, the name of a device (``auto``, ``cpu``, ``cuda`` ...) and an engine (``torch`` or ``onnx``) →
            the detector; its dependencies are imported when it is called.
        stages: number of thresholds.
        smallest_face: the smallest ``min_face`` it can search for, in pixels.
        preset: name of its default settings.
    """

    help: str
    create: "Callable[[DetectorSettings, str, str], Detector]"
    stages: int
    smallest_face: float
    preset: str


@dataclass(frozen=True)
class Preset:
    """Named settings.

    Attributes:
        help: a short description.
        settings: those of a detector.
    """

    help: str
    settings: "DetectorSettings"


_FOLDERS = ("facepipe.detection.detectors",)
DETECTORS: Registry[DetectorKind] = Registry("detector", "facepipe.detectors", FacepipeError, _FOLDERS)
PRESETS: Registry[Preset] = Registry("detector preset", "facepipe.detector_presets", FacepipeError, _FOLDERS)
