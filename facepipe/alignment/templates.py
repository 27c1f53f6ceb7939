"""The five reference points that a face's landmarks are mapped to, and the kind of fit."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facepipe.errors import FacepipeError


@dataclass(frozen=True)
class Template:
    """An alignment template: everything that determines how a crop is cut, given an image and landmarks.

    Attributes:
        name: as in cards, recipes and ``--template``.
        height, width: pixels of the crop.
        points: float64 5×2, (x, y) of left eye, right eye, nose tip, left and right mouth corner, as 0-based
            pixels with pixel centres at integers.
        fit: the direction in which the similarity is fitted: ``umeyama`` from image to template, ``cp2tform``
            from template to image (see `facepipe.alignment.similarity`).
        landmark_shift: pixels added to 0-based landmarks before they are matched with ``points``.
    """

    name: str
    height: int
    width: int
    points: np.ndarray
    fit: Literal["cp2tform", "umeyama"]
    landmark_shift: float = 0.0

    @property
    def identity(self) -> str:
        """Size and fit, such as ``112x112-umeyama``, as recorded in files with crops or embeddings of crops.

        The meaning of a name may change, as that of ``112x112`` did; an identity never does.
        """
        return f"{self.height}x{self.width}-{self.fit}"


# face_align_demo.m in wy1iu/sphereface, lines 22-47: MATLAB pixels, counted from 1.
_SPHEREFACE = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
# insightface uses the same numbers, 8 pixels further right, with OpenCV, which counts from 0.
_INSIGHTFACE = _SPHEREFACE + np.array([8.0, 0.0])

TEMPLATES = {
    template.name: template
    for template in (
        Template("112x96", 112, 96, _SPHEREFACE - 1.0, "cp2tform"),
        Template("112x112", 112, 112, _INSIGHTFACE, "umeyama"),
        Template("112x112-cp2tform", 112, 112, _INSIGHTFACE, "cp2tform", landmark_shift=1.0),
    )
}
"""Each as expected by the models trained with it. ``112x96`` is SphereFace's: MATLAB counts template and landmarks from
1, and fits from template to image. ``112x112`` is that of insightface, its checkpoints and OpenCV's SFace: the same
numbers as 0-based pixels, fitted from image to template. ``112x112-cp2tform`` is the ``112x112`` of facepipe before
2026-12, insightface's numbers with SphereFace's fit, for models trained on such crops."""


def template(name: str) -> Template:
    """The template called ``name``.

    Raises:
        FacepipeError: there is none.
    """
    if name not in TEMPLATES:
        raise FacepipeError(f"alignment template {name!r} is unknown; choose one of {', '.join(TEMPLATES)}")
    return TEMPLATES[name]
