"""MTCNN, in batches and as those who published crops run it."""

from typing import TYPE_CHECKING

from facepipe.detection.detectors import DETECTORS, PRESETS, DetectorKind, Preset
from facepipe.detection.settings import DetectorSettings

if TYPE_CHECKING:
    from facepipe.detection.detector import Detector


def _mtcnn(settings: DetectorSettings, device: str, engine: str) -> "Detector":
    from facepipe.detection.cascade import MTCNN

    return MTCNN(settings, device, engine)


def _matlab(settings: DetectorSettings, device: str, engine: str) -> "Detector":
    from facepipe.detection.matlab import MatlabMTCNN

    return MatlabMTCNN(settings, device, engine)


def _tensorflow(settings: DetectorSettings, device: str, engine: str) -> "Detector":
    from facepipe.detection.matlab import MatlabMTCNN

    return MatlabMTCNN(settings, device, engine, mirror=False)


DETECTORS.add("mtcnn", DetectorKind("three networks over an image pyramid", _mtcnn, 3, 12, preset="sphereface"))
DETECTORS.add(
    "mtcnn-matlab",
    DetectorKind("mtcnn in the arithmetic of its MATLAB code, slower", _matlab, 3, 12, preset="sphereface-matlab"),
)
DETECTORS.add(
    "mtcnn-tensorflow",
    DetectorKind("mtcnn in that of facenet's TensorFlow port", _tensorflow, 3, 12, preset="insightface"),
)

# The numbers of face_detect_demo.m of wy1iu/sphereface.
PRESETS.add(
    "sphereface", Preset("MTCNN, minimum face 20, factor 0.85, thresholds 0.6 0.7 0.9", DetectorSettings())
)
# With the factor of MTCNN's own demo.
PRESETS.add("fast", Preset("sphereface with factor 0.709", DetectorSettings(factor=0.709)))
# All numbers of that demo (MTCNNv1/demo.m).
PRESETS.add(
    "mtcnn-demo",
    Preset("that and thresholds 0.6 0.7 0.7", DetectorSettings(factor=0.709, thresholds=(0.6, 0.7, 0.7))),
)
PRESETS.add(
    "sphereface-matlab",
    Preset("sphereface's numbers with MATLAB's arithmetic", DetectorSettings("mtcnn-matlab", border=False)),
)
# src/align/align_lfw.py of deepinsight/insightface; how the faces of its training data were found is not published to
# that detail.
PRESETS.add(
    "insightface",
    Preset("sphereface's numbers with the TensorFlow port's", DetectorSettings("mtcnn-tensorflow", border=False)),
)
