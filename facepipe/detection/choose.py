"""Rules for choosing among several faces."""

import numpy as np

from facepipe.detection.faces import Faces
from facepipe.errors import FacepipeError

_SHARED = 0.4
_AS_LARGE = 0.8
"""Faces with at least this fraction of the largest visible area count as equally large: sides within a tenth."""
FACE_RULES = ("centre", "largest", "best", "insightface", "all")


def choose(faces: Faces, rule: str, size: tuple[int, int]) -> np.ndarray:
    """Indices of the chosen faces, int64; empty if there is no face.

    Args:
        faces: the faces of one image.
        rule: ``centre`` takes the box whose centre is nearest the image centre, by squared distance
            (SphereFace, face_detect_demo.m); ``largest`` the one with the largest visible area (see `_visible` and
            `_apart`), of several about equally large the one nearest the centre; ``best`` the highest score;
            ``insightface`` the box whose area minus twice the squared distance of its centre from the image's is
            largest (src/align/align_lfw.py of deepinsight/insightface); ``all`` every face, best first. The earlier
            face wins a tie.
        size: (height, width) of the image in pixels.

    Raises:
        FacepipeError: the rule is unknown.
    """
    if rule not in FACE_RULES:
        raise FacepipeError(f"face rule {rule!r} is unknown; choose one of {', '.join(FACE_RULES)}")
    if len(faces) == 0:
        return np.zeros(0, np.int64)
    if rule == "all":
        return np.argsort(-faces.scores, kind="stable")
    if rule == "best":
        return np.array([int(faces.scores.argmax())])
    left, top, right, bottom = faces.boxes.T
    height, width = size
    # As published: boxes count from 1, and the image's centre is half its width.
    distance = ((left + right) / 2 + 1 - width / 2) ** 2 + ((top + bottom) / 2 + 1 - height / 2) ** 2
    if rule == "largest":
        area = np.where(_apart(faces), _visible(faces.boxes, size), -1)
        return np.array([int(np.where(area >= _AS_LARGE * area.max(), distance, np.inf).argmin())])
    if rule == "insightface":
        area = (right - left) * (bottom - top)
        return np.array([int((area - 2 * distance).argmax())])
    return np.array([int(distance.argmin())])


def _apart(faces: Faces) -> np.ndarray:
    """Bool N: false for a face that a higher-scoring one overlaps by more than `_SHARED` of the smaller box.

    Heads side by side do not overlap that much; MTCNN occasionally finds a third, larger face between the two.
    """
    order = np.argsort(-faces.scores, kind="stable")
    apart = np.zeros(len(faces), bool)
    for index in order:
        kept, box = faces.boxes[apart], faces.boxes[index]
        shared = np.clip(np.minimum(kept[:, 2:], box[2:]) - np.maximum(kept[:, :2], box[:2]), 0, None).prod(1)
        smaller = np.minimum((kept[:, 2:] - kept[:, :2]).prod(1), (box[2:] - box[:2]).prod())
        apart[index] = (shared <= _SHARED * smaller).all()
    return apart


def _visible(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each box's visible area times the visible fraction of the box, which favours whole faces over cut-off ones."""
    height, width = size
    corner, end = boxes[:, :2].astype(np.float64), boxes[:, 2:] + 1.0
    whole = (end - corner).prod(1)
    last = np.array([width, height])
    inside = np.clip(np.minimum(end, last) - np.maximum(corner, 0), 0, None).prod(1)
    return np.asarray(inside * inside / np.maximum(whole, 1e-9))
