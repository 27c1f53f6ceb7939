"""MTCNN version 1 with the arithmetic of its authors' MATLAB code, for crops that are to be as SphereFace's.

The steps of ``MTCNNv1/detect_face.m`` (kpzhang93/MTCNN_face_detection_alignment, which SphereFace runs), one image at a
time, where `facepipe.detection.cascade` follows facenet-pytorch's form, which is faster:

- images and candidates are resized as ``imResample`` of Piotr Dollár's toolbox does, by exact areas where they shrink,
  linearly where they grow, not by means of whole pixels;
- boxes, not only their crops, lose their decimals before R-Net and O-Net;
- O-Net looks at the mirror image of each face too, and landmarks are the mean of both;
- overlap counts sides in whole pixels at every stage, and of equal scores the later candidate is kept.

facenet's TensorFlow port, which insightface's LFW was cut with, does the same but for the mirror image.
"""

import math

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from facepipe.detection.boxes import moved, placed, square
from facepipe.detection.cascade import MTCNN
from facepipe.detection.faces import Faces
from facepipe.detection.settings import DetectorSettings
from facepipe.detection.suppress import suppress

_BATCH = 16
"""Candidates per pass of R-Net and O-Net; the last pass is filled up, so that results do not depend on company."""
_MIRRORED = [1, 0, 2, 4, 3]
"""Where a mirror image has the right eye, the image has the left one; the mouth corners likewise."""


class MatlabMTCNN(MTCNN):
    """MTCNN with MATLAB's arithmetic.

    Args:
        settings: see `facepipe.detection.DetectorSettings` and `facepipe.detection.preset`.
        device: ``auto``, ``cpu``, ``cuda`` ...
        mirror: whether O-Net looks at mirror images too.
    """

    def __init__(self, settings: DetectorSettings, device: str = "auto", mirror: bool = True) -> None:
        super().__init__(settings, device)
        self._mirror = mirror

    def _search(self, images: list[np.ndarray]) -> list[Faces]:
        return [self._search_one(image.astype(np.float32)) for image in images]

    def _search_one(self, pixels: np.ndarray) -> Faces:
        boxes, scores, landmarks = self._output_of(pixels, self._refined(pixels, self._proposed(pixels)))
        # MATLAB's counting from 1 ends here.
        return Faces((boxes - 1).cpu().numpy(), scores.cpu().numpy(), (landmarks - 1).cpu().numpy())

    def _proposed(self, pixels: np.ndarray) -> Tensor:
        found = [self._level(pixels, level, scale) for level, scale in enumerate(self._scales(pixels))]
        if not found:
            return torch.zeros((0, 4), device=self.device)
        boxes, scores, offsets, level = (torch.cat(values) for values in zip(*found, strict=True))
        keep = _kept(boxes, scores, level, 0.5)
        keep = keep[_kept(boxes[keep], scores[keep], torch.zeros_like(keep), 0.7)]
        boxes, offsets = boxes[keep], offsets[keep]
        return square(moved(boxes, offsets, extra=0)).trunc()

    def _scales(self, pixels: np.ndarray) -> list[float]:
        first = 12 / self.settings.min_face
        left = min(pixels.shape[:2]) * first
        scales: list[float] = []
        while left >= 12:
            scales.append(first * self.settings.factor ** len(scales))
            left *= self.settings.factor
        return scales

    def _level(self, pixels: np.ndarray, level: int, scale: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        height, width = (math.ceil(side * scale) for side in pixels.shape[:2])
        probability, offsets = self._pnet(self._input([resized(pixels, height, width)]))
        # MATLAB lists places down one column after the other.
        column, row = torch.ge(probability[0].T, self.settings.thresholds[0]).nonzero().T
        corner = torch.stack([column, row], 1).double() * 2
        boxes = torch.cat([((corner + 1) / scale).floor(), ((corner + 12) / scale).floor()], 1).float()
        return boxes, probability[0, row, column], offsets[0, :, row, column].T, torch.full_like(row, level)

    def _refined(self, pixels: np.ndarray, boxes: Tensor) -> Tensor:
        _, (score, offsets) = self._judged(self._rnet, 24, pixels, boxes)
        passed = score > self.settings.thresholds[1]
        boxes, score, offsets = boxes[passed], score[passed], offsets[passed]
        keep = _kept(boxes, score, torch.zeros(len(boxes), dtype=torch.int64, device=self.device), 0.7)
        return square(moved(boxes[keep], offsets[keep], extra=1)).trunc()

    def _output_of(self, pixels: np.ndarray, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        crops, (score, offsets, points) = self._judged(self._onet, 48, pixels, boxes)
        passed = (score > self.settings.thresholds[2]).nonzero()[:, 0]
        boxes, score, after = boxes[passed], score[passed], moved(boxes[passed], offsets[passed], extra=1)
        keep = _kept(after, score, torch.zeros_like(passed), 0.7, over_smaller=True)
        points = points[passed[keep]].view(-1, 2, 5)
        if self._mirror:
            mirrored = [crops[index][:, ::-1] for index in passed[keep].tolist()]
            other = self._run(self._onet, mirrored, 48)[2].view(-1, 2, 5)[:, :, _MIRRORED]
            points = (points + torch.stack([1 - other[:, 0], other[:, 1]], 1)) / 2
        return after[keep], score[keep], placed(boxes[keep], points)

    def _judged(
        self, network: nn.Module, side: int, pixels: np.ndarray, boxes: Tensor
    ) -> tuple[list[np.ndarray], list[Tensor]]:
        """The candidates' crops, and what a network says of them."""
        crops = [cut(pixels, box, side) for box in boxes.long().tolist()]
        return crops, self._run(network, crops, side)

    def _run(self, network: nn.Module, crops: list[np.ndarray], side: int) -> list[Tensor]:
        filled = crops + [np.zeros((side, side, 3), np.float32)] * (-len(crops) % _BATCH or _BATCH * (not crops))
        parts = [network(self._input(filled[first : first + _BATCH])) for first in range(0, len(filled), _BATCH)]
        return [torch.cat(values)[: len(crops)] for values in zip(*parts, strict=True)]

    def _input(self, images: list[np.ndarray]) -> Tensor:
        # N×h×w×3 seen as N×3×h×w is channels_last already.
        return ((torch.from_numpy(np.stack(images)).to(self.device) - 127.5) * 0.0078125).permute(0, 3, 1, 2)


def cut(pixels: np.ndarray, box: list[int], side: int) -> np.ndarray:
    """What lies under a box that counts pixels from 1 and includes its last ones, resized; black beyond the image."""
    left, top, right, bottom = box
    whole = np.zeros((max(bottom - top + 1, 1), max(right - left + 1, 1), 3), np.float32)
    inside = pixels[max(top, 1) - 1 : max(bottom, 0), max(left, 1) - 1 : max(right, 0)]
    row, column = max(1 - top, 0), max(1 - left, 0)
    if inside.size:
        whole[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return resized(whole, side, side)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 h×w×3 resized side by side: by areas where it shrinks, between pixel centres where it grows."""
    for size in ((pixels.shape[1], height), (width, height)):
        shrinks = size[0] < pixels.shape[1] or size[1] < pixels.shape[0]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels


def _kept(boxes: Tensor, scores: Tensor, group: Tensor, threshold: float, over_smaller: bool = False) -> Tensor:
    """`suppress` with sides in whole pixels and the later of equal scores first."""
    last = torch.arange(len(boxes) - 1, -1, -1, device=boxes.device)
    ends = boxes if over_smaller else boxes + boxes.new_tensor([0, 0, 1, 1])
    return last[suppress(ends[last], scores[last], group[last], threshold, over_smaller)]
