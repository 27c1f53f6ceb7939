"""YuNet, a small single-pass network for faces of all sizes, run by OpenCV (Wu et al., Machine Intelligence Research
2023)."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from facepipe.detection.faces import Faces
from facepipe.detection.scaling import check_image, enlarged, reduced, searched_size
from facepipe.detection.settings import DetectorSettings, preset
from facepipe.engines.opencv_dnn import quiet_opencv
from facepipe.errors import ModelError
from facepipe.graphs import parse_graph
from facepipe.parameters import parameter

_SMALLEST = 640
"""Faces above some 600 pixels are too large for the network, so an image is searched again, reduced by the settings'
factor, as long as its longer side is above this."""
_OVERLAP = 0.3


class YuNet:
    """YuNet from the ONNX file of the OpenCV Zoo, on the CPU.

    Args:
        weights: the ONNX file.
        settings: None means the preset ``yunet``. Faces whose longer side is below ``min_face`` are dropped.

    Raises:
        ModelError: the file cannot be read, is not this network or contains non-finite weights.
    """

    def __init__(self, weights: Path, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or preset("yunet")
        self._network = _load(weights, self.settings.thresholds[-1])
        # The network stores the size of the image being searched.
        self._lock = Lock()

    def __call__(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """Find the faces in uint8 H×W×3 RGB images of any size; one `Faces` per image, best score first.

        Raises:
            FacepipeError: an image is not uint8 H×W×3.
            ModelError: the network returns non-finite numbers.
        """
        for image in images:
            check_image(image)
        with self._lock:
            return [self._find(image) for image in images]

    def _find(self, image: np.ndarray) -> Faces:
        full = image.shape[0], image.shape[1]
        size = searched_size(full, self.settings.max_pixels)
        bgr = cv2.cvtColor(reduced(image, *size), cv2.COLOR_RGB2BGR)
        found = [enlarged(self._search(bgr), size, full)]
        while max(size) > _SMALLEST:
            size = max(1, round(size[0] * self.settings.factor)), max(1, round(size[1] * self.settings.factor))
            bgr = reduced(bgr, *size)
            found.append(enlarged(self._search(bgr), size, full))
        faces = _distinct(found)
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        return faces.take(sides.max(1, initial=0) >= self.settings.min_face)

    def _search(self, bgr: np.ndarray) -> Faces:
        """The network's detections at one size of the image."""
        self._network.setInputSize((bgr.shape[1], bgr.shape[0]))
        rows = self._network.detect(bgr)[1]
        if rows is None:
            return Faces.none()
        # A comparison with a smallest side would drop them, and with them the face.
        if not np.isfinite(rows).all():
            raise ModelError(
                f"YuNet returns non-finite numbers with OpenCV {cv2.__version__}, so faces would be missed; "
                f"try another {parameter('detector')}"
            )
        corner, size = rows[:, :2], rows[:, 2:4]
        # The person's right eye comes first, which is on the viewer's left; likewise the mouth.
        return Faces(np.concatenate([corner, corner + size], 1), rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2))


def _distinct(found: list[Faces]) -> Faces:
    """All faces, best first; of overlapping ones, found at two sizes of the image, only the better."""
    faces = Faces(
        np.concatenate([part.boxes for part in found]),
        np.concatenate([part.scores for part in found]),
        np.concatenate([part.landmarks for part in found]),
    )
    keep: list[int] = []
    for index in np.argsort(-faces.scores, kind="stable").tolist():
        if all(_overlap(faces.boxes[index], faces.boxes[other]) <= _OVERLAP for other in keep):
            keep.append(index)
    return faces.take(keep)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    whole = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / whole if whole > 0 else 0.0


def _load(weights: Path, threshold: float) -> Any:
    try:
        # Read here, since OpenCV cannot open every valid file name.
        data = np.frombuffer(weights.read_bytes(), np.uint8)
    except OSError as error:
        raise ModelError(f"{weights}: cannot read this file ({error.strerror})") from error
    _require_finite(weights, data.tobytes())
    try:
        with quiet_opencv():
            return cv2.FaceDetectorYN.create("onnx", data, np.zeros(0, np.uint8), (320, 320), threshold, _OVERLAP, 5000)
    except cv2.error as error:
        raise ModelError(f"{weights}: OpenCV {cv2.__version__} cannot load this as YuNet; pull it again") from error


def _require_finite(weights: Path, data: bytes) -> None:
    """Scores that are no numbers cannot be seen later: OpenCV takes them for 0, a place without a face."""
    try:
        constants = parse_graph(data).constants.values()
    except (KeyError, ValueError, TypeError, OverflowError):
        return  # OpenCV says the same, and better
    if not all(np.isfinite(one).all() for one in constants if isinstance(one, np.ndarray) and one.dtype.kind == "f"):
        raise ModelError(f"{weights}: holds weights that are not finite numbers; pull it again")
