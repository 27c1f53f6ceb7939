"""The five reference points that a face's landmarks are moved onto."""

from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError


@dataclass(frozen=True)
class Template:
    """An alignment template.

    Attributes:
        name: ``112x96`` or ``112x112`` (height × width).
        height, width: pixels of the crop.
        points: float64 5×2, (x, y) of left eye, right eye, nose tip, left and right mouth corner, as 0-based
            pixels with pixel centres at integers.
        landmark_shift: pixels that are added to 0-based landmarks before they are matched with ``points``.
    """

    name: str
    height: int
    width: int
    points: np.ndarray
    landmark_shift: float = 0.0


# face_align_demo.m of wy1iu/sphereface, lines 22-47: MATLAB pixels, counted from 1.
_SPHEREFACE = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
# insightface uses the same numbers, 8 pixels further right, with OpenCV, which counts from 0.
_INSIGHTFACE = _SPHEREFACE + np.array([8.0, 0.0])

TEMPLATES = {
    "112x96": Template("112x96", 112, 96, _SPHEREFACE - 1.0),
    "112x112": Template("112x112", 112, 112, _INSIGHTFACE, landmark_shift=1.0),
}
"""Each as the models made with it expect. ``112x96`` is SphereFace's: MATLAB counts template and landmarks from 1.
``112x112`` is insightface's: it hands the same numbers, and MTCNN's landmarks, which count from 1 too, to OpenCV as
if they counted from 0; hence the shift."""


def template(name: str) -> Template:
    """The template called ``name``.

    Raises:
        FacepipeError: there is none.
    """
    if name not in TEMPLATES:
        raise FacepipeError(f"alignment template {name!r} is unknown; choose one of {', '.join(TEMPLATES)}")
    return TEMPLATES[name]
