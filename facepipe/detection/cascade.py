"""MTCNN as a batched cascade: all images of one size share a pyramid, all candidates share R-Net and O-Net."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.detection.boxes import moved, placed, square
from facepipe.detection.faces import Faces
from facepipe.detection.limits import check_image, searched_size
from facepipe.detection.networks import load_networks
from facepipe.detection.reduce import enlarged, reduced
from facepipe.detection.resample import Tables, build_tables, cut, shrink
from facepipe.detection.settings import DetectorSettings
from facepipe.detection.suppress import suppress
from facepipe.detection.workers import map_on_cores
from facepipe.devices import choose_device, keep_freed_memory, whole_float32

_CELL, _STRIDE = 12, 2
_PYRAMID_PIXELS = 100_000
"""Pixels of one pyramid level that go through P-Net at once: few enough to stay in the processor's cache."""
_TOGETHER = 16
"""Images that one core searches together, at most."""
_RNET_BATCH, _ONET_BATCH = 64, 16
"""Fixed number of candidates per pass; the last pass is filled up. O-Net sees few, so that its passes are small."""


class MTCNN:
    """MTCNN over facenet-pytorch's weights.

    Args:
        settings: see `DetectorSettings` and `preset`.
        device: ``auto``, ``cpu``, ``cuda`` ...
    """

    def __init__(self, settings: DetectorSettings | None = None, device: str = "auto") -> None:
        self.settings = settings or DetectorSettings()
        self.device = choose_device(device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self._pnet, self._rnet, self._onet = load_networks(self.device)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """Find the faces of uint8 H×W×3 RGB images, in any sizes; one `Faces` per image, best score first.

        Images of one size are searched together, so a list sorted into few sizes is fastest.

        Raises:
            FacepipeError: an image is not uint8 H×W×3.
        """
        for image in images:
            check_image(image)
        # By the size in which an image is searched: two sizes may become one when they are reduced.
        limit = self.settings.max_pixels
        by_size = sorted(range(len(images)), key=lambda index: searched_size(images[index].shape, limit))
        on_cores = self.device.type == "cpu"
        share = -(-len(images) // torch.get_num_threads()) if on_cores else _TOGETHER
        together = min(_TOGETHER, max(1, share))
        groups = [by_size[first : first + together] for first in range(0, len(by_size), together)]
        tasks = [[images[index] for index in group] for group in groups]
        found = map_on_cores(self._find, tasks) if on_cores else [self._find(task) for task in tasks]
        faces = [Faces.none()] * len(images)
        for group, results in zip(groups, found, strict=True):
            for index, result in zip(group, results, strict=True):
                faces[index] = result
        return faces

    @torch.inference_mode()
    def _find(self, images: list[np.ndarray]) -> list[Faces]:
        """Search images of few sizes, equal ones side by side, large ones reduced."""
        sizes = [searched_size(image.shape, self.settings.max_pixels) for image in images]
        with whole_float32(self.device):
            found = self._search([reduced(image, *size) for image, size in zip(images, sizes, strict=True)])
        full = [(image.shape[0], image.shape[1]) for image in images]
        return [enlarged(*three) for three in zip(found, sizes, full, strict=True)]

    def _search(self, images: list[np.ndarray]) -> list[Faces]:
        tables = build_tables(images, self.device)
        image, boxes = self._propose(tables, [(one.shape[0], one.shape[1]) for one in images])
        image, boxes = self._refine(tables, image, boxes)
        image, boxes, scores, landmarks = self._output(tables, image, boxes)
        order = torch.argsort(scores, descending=True, stable=True)
        # The networks' own counting from 1, as in MATLAB, ends here.
        owner, *arrays = (values[order].cpu().numpy() for values in (image, boxes - 1, scores, landmarks - 1))
        return [Faces(*(values[owner == index] for values in arrays)) for index in range(len(images))]

    def _propose(self, tables: Tables, sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """P-Net over every level of every image: candidates as (image N, square boxes N×4)."""
        found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        first = 0
        while first < len(sizes):
            same = sum(size == sizes[first] for size in sizes)
            for level, scale in enumerate(_scales(sizes[first], self.settings)):
                found += self._propose_level(tables, first, same, sizes[first], level, scale)
            first += same
        if not found:
            return torch.zeros(0, dtype=torch.int64, device=self.device), torch.zeros((0, 4), device=self.device)
        image, levels, boxes, scores = (torch.cat(values) for values in zip(*found, strict=True))
        offsets, boxes = boxes[:, 4:], boxes[:, :4]
        keep = suppress(boxes, scores, image * 1024 + levels, 0.5)
        keep = keep[suppress(boxes[keep], scores[keep], image[keep], 0.7)]
        return image[keep], square(moved(boxes[keep], offsets[keep], extra=0))

    def _propose_level(
        self, tables: Tables, first: int, same: int, size: tuple[int, int], level: int, scale: float
    ) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        height, width = int(size[0] * scale + 1), int(size[1] * scale + 1)
        step = max(1, _PYRAMID_PIXELS // (height * width))
        found = []
        for begin in range(first, first + same, step):
            count = min(step, first + same - begin)
            probability, offsets = self._pnet(shrink(tables, begin, count, (height, width)))
            owner, row, column = (probability >= self.settings.thresholds[0]).nonzero().T
            corner = torch.stack([column, row], 1).float() * _STRIDE
            boxes = [((corner + 1) / scale).floor(), ((corner + _CELL) / scale).floor()]
            boxes.append(offsets[owner, :, row, column])
            found.append(
                (owner + begin, torch.full_like(owner, level), torch.cat(boxes, 1), probability[owner, row, column])
            )
        return found

    def _refine(self, tables: Tables, image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        image, boxes, (probability, offsets) = self._judge(self._rnet, 24, _RNET_BATCH, tables, image, boxes)
        passed = probability > self.settings.thresholds[1]
        image, boxes, probability, offsets = (v[passed] for v in (image, boxes, probability, offsets))
        keep = suppress(boxes, probability, image, 0.7)
        return image[keep], square(moved(boxes[keep], offsets[keep], extra=1))

    def _output(self, tables: Tables, image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image, boxes, (probability, offsets, points) = self._judge(self._onet, 48, _ONET_BATCH, tables, image, boxes)
        # Where O-Net's probabilities are equal, the published code (nms.m, Min rule) keeps the later candidate.
        passed = (probability > self.settings.thresholds[2]).nonzero()[:, 0].flip(0)
        image, boxes, probability = image[passed], boxes[passed], probability[passed]
        landmarks = placed(boxes, points[passed])
        boxes = moved(boxes, offsets[passed], extra=1)
        keep = suppress(boxes, probability, image, 0.7, over_smaller=True)
        return image[keep], boxes[keep], probability[keep], landmarks[keep]

    def _judge(
        self, network: nn.Module, side: int, batch: int, tables: Tables, image: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The candidates that touch their image, and what ``network`` says of them.

        A candidate that crosses the image's edge stays a square whose outside is black, as in pad.m of the
        published code. (facenet-pytorch clips it and stretches what is left to a square.)

        Candidates are cut out and judged in passes of one fixed size, so that a pass stays in the
        processor's cache, memory stays bounded, and a candidate's result does not depend on its company.
        """
        whole = boxes.trunc().long()
        limit = torch.stack([tables.width[image], tables.height[image]], 1)
        # Boxes count pixels from 1 and include their last row and column.
        begin, end = whole[:, :2] - 1, whole[:, 2:]
        inside = (torch.minimum(end, limit) > begin.clamp(min=0)).all(1).nonzero()[:, 0]
        image, boxes, pixels = image[inside], boxes[inside], torch.cat([begin, end], 1)[inside]
        count = len(inside)
        filled = torch.arange(count + -count % batch, device=self.device).clamp(max=max(count - 1, 0))
        if count == 0:
            filled, pixels = filled.new_zeros(0), pixels.new_zeros((0, 4))
        parts = [network(cut(tables, image[rows], pixels[rows], side)) for rows in filled.split(batch)]
        return image, boxes, [torch.cat(values)[:count] for values in zip(*parts, strict=True)]


def _scales(size: tuple[int, int], settings: DetectorSettings) -> list[float]:
    scale = _CELL / settings.min_face
    scales = []
    while min(size) * scale >= _CELL:
        scales.append(scale)
        scale *= settings.factor
    return scales
