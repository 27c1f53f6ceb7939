"""Face selection and crop format, as published with some detectors."""

from dataclasses import dataclass

from facepipe.detection import DetectorSettings


@dataclass(frozen=True)
class CropDefaults:
    """Defaults for options that are not given.

    Attributes:
        template: alignment template.
        quality: JPEG quality.
        rule: which face to use if there are several, see `facepipe.detection.choose`; None means the command's default.
    """

    template: str = "112x112"
    quality: int = 95
    rule: str | None = None


_PUBLISHED = {
    "mtcnn-matlab": CropDefaults("112x96", 75, "centre"),
    "mtcnn-tensorflow": CropDefaults("112x112", 95, "insightface"),
}
"""``mtcnn-matlab``: wy1iu/sphereface, whose face_detect_demo.m chooses the centre face and whose face_align_demo.m
writes JPEG with ``imwrite``, whose default quality is 75. ``mtcnn-tensorflow``: src/align/align_lfw.py of
deepinsight/insightface, with OpenCV's ``imwrite``, whose default is 95."""


def crop_defaults(detection: DetectorSettings | None) -> CropDefaults:
    """Defaults for a detector; facepipe's own if none are published or nothing is detected."""
    return CropDefaults() if detection is None else _PUBLISHED.get(detection.detector, CropDefaults())
