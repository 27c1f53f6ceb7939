"""MTCNN version 1 with the arithmetic of its authors' MATLAB code, for crops that match SphereFace's.

It follows ``MTCNNv1/detect_face.m`` (kpzhang93/MTCNN_face_detection_alignment, which SphereFace runs), one image at a
time. `facepipe.detection.cascade` follows facenet-pytorch, which is faster. The differences:

- images and candidates are resized like ``imResample`` of Piotr Dollár's toolbox, by exact areas when shrinking and
  linearly when enlarging, instead of by means of whole pixels;
- boxes, not only their crops, are truncated to whole pixels before R-Net and O-Net;
- O-Net also processes the mirror image of each face, and landmarks are the mean of both;
- overlap measures sides in whole pixels at every stage, and among equal scores the later candidate is kept.

facenet's AnyFlow port, which insightface's LFW was cut with, does the same but for the mirror image.
"""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from facepipe.detection.boxes import moved, placed, square
from facepipe.detection.cascade import MTCNN
from facepipe.detection.faces import Faces
from facepipe.detection.settings import DetectorSettings

_BATCH = 16
"""Candidates per pass of R-Net and O-Net; the last pass is padded, so that a result does not depend on the others."""
_MIRRORED = [1, 0, 2, 4, 3]
"""The mirror image's right eye is the image's left one; likewise the mouth corners."""


class MatlabMTCNN(MTCNN):
    """MTCNN with MATLAB's arithmetic.

    Args:
        settings: see `facepipe.detection.DetectorSettings` and `facepipe.detection.preset`.
        device: ``auto``, ``cpu``, ``cuda`` ...
        engine: ``torch`` or ``onnx``.
        mirror: whether O-Net also processes mirror images.
    """

    def __init__(
        self, settings: DetectorSettings, device: str = "auto", engine: str = "torch", mirror: bool = True
    ) -> None:
        super().__init__(settings, device, engine)
        self._mirror = mirror

    def _search(self, images: list[np.ndarray]) -> list[Faces]:
        return [self._search_one(image.astype(np.float32)) for image in images]

    def _search_one(self, pixels: np.ndarray) -> Faces:
        boxes, scores, landmarks = self._output_of(pixels, self._refined(pixels, self._proposed(pixels)))
        # MATLAB counts pixels from 1; from here on they count from 0.
        host = self._arrays.host
        return Faces(host(boxes - 1), host(scores), host(landmarks - 1))

    def _proposed(self, pixels: np.ndarray) -> Any:
        found = [self._level(pixels, level, scale) for level, scale in enumerate(self._scales(pixels))]
        if not found:
            return self._arrays.array(np.zeros((0, 4), np.float32))
        boxes, scores, offsets, level = (self._arrays.concat(values) for values in zip(*found, strict=True))
        self._require_finite(scores, offsets)
        keep = self._kept(boxes, scores, level, 0.5)
        keep = keep[self._kept(boxes[keep], scores[keep], keep * 0, 0.7)]
        boxes, offsets = boxes[keep], offsets[keep]
        return self._arrays.trunc(square(moved(boxes, offsets, extra=0)))

    def _scales(self, pixels: np.ndarray) -> list[float]:
        first = 12 / self.settings.min_face
        left = min(pixels.shape[:2]) * first
        scales: list[float] = []
        while left >= 12:
            scales.append(first * self.settings.factor ** len(scales))
            left *= self.settings.factor
        return scales

    def _level(self, pixels: np.ndarray, level: int, scale: float) -> tuple[Any, Any, Any, Any]:
        height, width = (math.ceil(side * scale) for side in pixels.shape[:2])
        arrays = self._arrays
        probability, offsets = self._stages.pnet(self._input([resized(pixels, height, width)]))
        # MATLAB lists positions in column-major order.
        column, row = arrays.where(~(self.settings.thresholds[0] > probability[0].T))
        corner = arrays.float64(arrays.stack([column, row], 1)) * 2
        corners = [arrays.floor((corner + 1) / scale), arrays.floor((corner + 12) / scale)]
        boxes = arrays.float32(arrays.concat(corners, 1))
        return boxes, probability[0, row, column], offsets[0][:, row, column].T, row * 0 + level

    def _refined(self, pixels: np.ndarray, boxes: Any) -> Any:
        _, (score, offsets) = self._classified(self._stages.rnet, 24, pixels, boxes)
        passed = score > self.settings.thresholds[1]
        boxes, score, offsets = boxes[passed], score[passed], offsets[passed]
        keep = self._kept(boxes, score, self._arrays.arange(len(boxes)) * 0, 0.7)
        return self._arrays.trunc(square(moved(boxes[keep], offsets[keep], extra=1)))

    def _output_of(self, pixels: np.ndarray, boxes: Any) -> tuple[Any, Any, Any]:
        crops, (score, offsets, points) = self._classified(self._stages.onet, 48, pixels, boxes)
        passed = self._arrays.where(score > self.settings.thresholds[2])[0]
        boxes, score, after = boxes[passed], score[passed], moved(boxes[passed], offsets[passed], extra=1)
        keep = self._kept(after, score, passed * 0, 0.7, over_smaller=True)
        points = points[passed[keep]].reshape(-1, 2, 5)
        if self._mirror:
            mirrored = [crops[index][:, ::-1] for index in passed[keep].tolist()]
            mirrored_points = self._run(self._stages.onet, mirrored, 48)[2].reshape(-1, 2, 5)[:, :, _MIRRORED]
            points = (points + self._arrays.stack([1 - mirrored_points[:, 0], mirrored_points[:, 1]], 1)) / 2
        return after[keep], score[keep], placed(boxes[keep], points)

    def _classified(
        self, network: Callable[[Any], Any], side: int, pixels: np.ndarray, boxes: Any
    ) -> tuple[list[np.ndarray], list[Any]]:
        """The candidates' crops, and a network's outputs for them."""
        crops = [cut_resized(pixels, box, side) for box in self._arrays.int64(boxes).tolist()]
        return crops, self._run(network, crops, side)

    def _run(self, network: Callable[[Any], Any], crops: list[np.ndarray], side: int) -> list[Any]:
        padded = crops + [np.zeros((side, side, 3), np.float32)] * (-len(crops) % _BATCH or _BATCH * (not crops))
        passes = [network(self._input(padded[first : first + _BATCH])) for first in range(0, len(padded), _BATCH)]
        outputs = [self._arrays.concat(values)[: len(crops)] for values in zip(*passes, strict=True)]
        self._require_finite(*outputs)
        return outputs

    def _input(self, images: list[np.ndarray]) -> Any:
        # N×h×w×3 viewed as N×3×h×w is already channels_last.
        x = (self._arrays.array(np.stack(images)) - 127.5) * 0.0078125
        return x.swapaxes(2, 3).swapaxes(1, 2)

    def _kept(
        self, boxes: Any, scores: Any, group: Any, threshold: float, over_smaller: bool = False
    ) -> Any:
        """`suppress` with sides in whole pixels and, among equal scores, the later box first."""
        last = self._arrays.flipped(self._arrays.arange(len(boxes)))
        ends = boxes if over_smaller else boxes + self._arrays.array(np.array([0, 0, 1, 1], np.float32))
        return last[self._arrays.suppress(ends[last], scores[last], group[last], threshold, over_smaller)]


def cut_resized(pixels: np.ndarray, box: list[int], side: int) -> np.ndarray:
    """The contents of a box (pixels counted from 1, last ones included), resized; black outside the image."""
    left, top, right, bottom = box
    whole = np.zeros((max(bottom - top + 1, 1), max(right - left + 1, 1), 3), np.float32)
    inside = pixels[max(top, 1) - 1 : max(bottom, 0), max(left, 1) - 1 : max(right, 0)]
    row, column = max(1 - top, 0), max(1 - left, 0)
    if inside.size:
        whole[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return resized(whole, side, side)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 h×w×3 resized one axis at a time: by areas when shrinking, between pixel centres when enlarging."""
    for size in ((pixels.shape[1], height), (width, height)):
        shrinks = size[0] < pixels.shape[1] or size[1] < pixels.shape[0]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels
