"""Which face is taken, and how crops are cut and saved, where those who published a detector's arithmetic say it."""

from dataclasses import dataclass

from facepipe.detection import DetectorSettings


@dataclass(frozen=True)
class CropDefaults:
    """What holds where nothing else is asked for.

    Attributes:
        template: of the alignment.
        quality: of JPEG.
        rule: which face of several, see `facepipe.detection.choose`; None is the command's own default.
    """

    template: str = "112x112"
    quality: int = 95
    rule: str | None = None


_PUBLISHED = {
    "mtcnn-matlab": CropDefaults("112x96", 75, "centre"),
    "mtcnn-tensorflow": CropDefaults("112x112", 95, "insightface"),
}
"""``mtcnn-matlab``: wy1iu/sphereface, whose face_detect_demo.m takes the centre face and whose face_align_demo.m writes
JPEG with ``imwrite``, of quality 75 where none is given. ``mtcnn-tensorflow``: src/align/align_lfw.py of
deepinsight/insightface, OpenCV's ``imwrite``, whose is 95."""


def crop_defaults(detection: DetectorSettings | None) -> CropDefaults:
    """Those that go with a detector; facepipe's own where nothing is published, or nothing is detected."""
    return CropDefaults() if detection is None else _PUBLISHED.get(detection.detector, CropDefaults())
