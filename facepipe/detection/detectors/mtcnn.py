"""MTCNN, batched and in the variants used for published crops."""

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


DETECTORS.add("mtcnn", DetectorKind("MTCNN, three networks over an image pyramid", _mtcnn, 3, 12, preset="sphereface"))
DETECTORS.add(
    "mtcnn-matlab",
    DetectorKind("MTCNN with the arithmetic of its MATLAB code, slower", _matlab, 3, 12, preset="sphereface-matlab"),
)
DETECTORS.add(
    "mtcnn-tensorflow",
    DetectorKind("MTCNN with the arithmetic of facenet's TensorFlow port", _tensorflow, 3, 12, preset="insightface"),
)

# The numbers of face_detect_demo.m in wy1iu/sphereface.
PRESETS.add(
    "sphereface", Preset("MTCNN, minimum face 20, factor 0.85, thresholds 0.6 0.7 0.9", DetectorSettings())
)
# With the factor of MTCNN's own demo.
PRESETS.add("fast", Preset("sphereface with factor 0.709", DetectorSettings(factor=0.709)))
# All numbers of that demo (MTCNNv1/demo.m).
PRESETS.add(
    "mtcnn-demo",
    Preset(
        "MTCNN, minimum face 20, factor 0.709, thresholds 0.6 0.7 0.7",
        DetectorSettings(factor=0.709, thresholds=(0.6, 0.7, 0.7)),
    ),
)
PRESETS.add(
    "sphereface-matlab",
    Preset("sphereface with MATLAB's arithmetic", DetectorSettings("mtcnn-matlab", border=False)),
)
# src/align/align_lfw.py of deepinsight/insightface; how the faces of its training data were found was not published in
# that detail.
PRESETS.add(
    "insightface",
    Preset("sphereface with the TensorFlow port's arithmetic", DetectorSettings("mtcnn-tensorflow", border=False)),
)
