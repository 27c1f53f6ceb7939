"""How crops are cut and saved where those who published a detector's arithmetic say it."""

from dataclasses import dataclass

from facepipe.detection import DetectorSettings


@dataclass(frozen=True)
class CropDefaults:
    """Alignment template and JPEG quality that hold where nothing else is asked for."""

    template: str = "112x112"
    quality: int = 95


_PUBLISHED = {
    "mtcnn-matlab": CropDefaults("112x96", 75),
    "mtcnn-tensorflow": CropDefaults("112x112", 95),
}
"""``mtcnn-matlab``: face_align_demo.m of wy1iu/sphereface writes JPEG with ``imwrite``, whose quality is 75 where none
is given. ``mtcnn-tensorflow``: src/align/align_lfw.py of deepinsight/insightface, OpenCV's ``imwrite``, whose is 95."""


def crop_defaults(detection: DetectorSettings | None) -> CropDefaults:
    """Those that go with a detector; facepipe's own where nothing is published, or nothing is detected."""
    return CropDefaults() if detection is None else _PUBLISHED.get(detection.detector, CropDefaults())
