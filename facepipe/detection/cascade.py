"""MTCNN as a batched cascade: all images of one size share a pyramid, all candidates share R-Net and O-Net."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import numpy as np

from facepipe.detection.boxes import moved, placed, square
from facepipe.detection.exact import ExactCandidates, undecided
from facepipe.detection.faces import Faces
from facepipe.detection.pyramid import Level, pyramid
from facepipe.detection.resample import Tables, build_tables, cut, shrink
from facepipe.detection.scaling import check_image, enlarged, reduced, searched_size
from facepipe.detection.settings import DetectorSettings
from facepipe.detection.shared_tables import SharedTables
from facepipe.detection.stages import create_stages
from facepipe.errors import ModelError
from facepipe.parameters import parameter

_TOGETHER = 16
"""Maximum number of images that one core searches together."""


@dataclass(frozen=True)
class Candidates:
    """Squares that may hold a face.

    Attributes:
        image: int64 N, the index of the image.
        boxes: float32 N×4, (left, top, right, bottom), pixels counted from 1, last ones included.
        origin: int64 N×3, the window of P-Net they come from: level of the pyramid, column and row of its output.
    """

    image: Any
    boxes: Any
    origin: Any

    def __getitem__(self, rows: Any) -> "Candidates":
        return Candidates(self.image[rows], self.boxes[rows], self.origin[rows])


class MTCNN:
    """MTCNN with its published weights; one implementation for every engine, see `facepipe.detection.stages`.

    Args:
        settings: see `DetectorSettings` and `preset`.
        device: ``auto``, ``cpu``, ``cuda`` ...
        engine: ``torch`` or ``onnx``.

    Attributes:
        engine: the engine that runs the networks.
    """

    def __init__(
        self, settings: DetectorSettings | None = None, device: str = "auto", engine: str = "torch"
    ) -> None:
        self.settings, self.engine = settings or DetectorSettings(), engine
        self._stages = create_stages(engine, device)
        self._arrays = self._stages.arrays
        self._shared: WeakSet[SharedTables] = WeakSet()

    def share_tables(self, kept: SharedTables) -> None:
        """See `facepipe.detection.shared_tables.SharingDetector`."""
        self._shared.add(kept)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """Find the faces in uint8 H×W×3 RGB images of any size; one `Faces` per image, best score first.

        Images of one size are searched together, so a list sorted into few sizes is fastest.

        Raises:
            FacepipeError: an image is not uint8 H×W×3.
            ModelError: a network returns non-finite numbers.
        """
        for image in images:
            check_image(image)
        # Sorted by the size at which an image is searched: different sizes may become equal when reduced.
        limit = self.settings.max_pixels
        by_size = sorted(range(len(images)), key=lambda index: searched_size(images[index].shape, limit))
        on_cores = self._stages.on_cores
        share = -(-len(images) // self._stages.cores()) if on_cores else _TOGETHER
        together = min(_TOGETHER, max(1, share))
        groups = [by_size[first : first + together] for first in range(0, len(by_size), together)]
        tasks = [[images[index] for index in group] for group in groups]
        spread = on_cores and (len(tasks) > 1 or self._stages.padded)
        found = self._stages.spread(self._find, tasks) if spread else self._stages.in_turn(self._find, tasks)
        faces = [Faces.none()] * len(images)
        for group, results in zip(groups, found, strict=True):
            for index, result in zip(group, results, strict=True):
                faces[index] = result
        return faces

    def _find(self, images: list[np.ndarray]) -> list[Faces]:
        """Search images of few sizes, sorted by size; large ones are reduced."""
        sizes = [searched_size(image.shape, self.settings.max_pixels) for image in images]
        with self._stages.running():
            found = self._search([reduced(image, *size) for image, size in zip(images, sizes, strict=True)])
        full = [(image.shape[0], image.shape[1]) for image in images]
        return [enlarged(*three) for three in zip(found, sizes, full, strict=True)]

    def _search(self, images: list[np.ndarray]) -> list[Faces]:
        tables = build_tables(images, self._arrays)
        exact = ExactCandidates(images, self.settings)
        candidates = self._propose(tables, [(one.shape[0], one.shape[1]) for one in images])
        candidates = self._decide(candidates, exact.proposed)
        candidates = self._decide(self._refine(tables, candidates), exact.refined)
        image, boxes, scores, landmarks = self._output(tables, candidates)
        order = self._arrays.falling(scores)
        # The networks count pixels from 1, as MATLAB does; from here on they count from 0.
        owner, *values = (self._arrays.host(one[order]) for one in (image, boxes - 1, scores, landmarks - 1))
        # Not before: if memory runs out, the search is repeated in halves, and these tables must not remain.
        for kept in list(self._shared):
            kept.keep(images, tables)
        return [Faces(*(one[owner == index] for one in values)) for index in range(len(images))]

    def _decide(self, candidates: Candidates, exact: Callable[[int, int, int, int], np.ndarray]) -> Candidates:
        """The candidates, those computed exactly whose corners are within rounding error of a whole pixel."""
        boxes = self._arrays.host(candidates.boxes)
        doubtful = undecided(boxes)
        if not len(doubtful):
            return candidates
        owner, origin = (self._arrays.host(values)[doubtful] for values in (candidates.image, candidates.origin))
        boxes = boxes.copy()
        for index, image, window in zip(doubtful, owner.tolist(), origin.tolist(), strict=True):
            boxes[index] = exact(image, *window)[0]
        return Candidates(candidates.image, self._arrays.array(boxes), candidates.origin)

    def _propose(self, tables: Tables, sizes: list[tuple[int, int]]) -> Candidates:
        """Run P-Net on every pyramid level of every image."""
        arrays = self._arrays
        found: list[tuple[Any, Any, Any, Any]] = []
        first = 0
        while first < len(sizes):
            same = sum(size == sizes[first] for size in sizes)
            for number, level in enumerate(pyramid(sizes[first], self.settings)):
                found += self._propose_level(tables, first, same, number, level)
            first += same
        if not found:
            image, origin, boxes = np.zeros(0, np.int64), np.zeros((0, 3), np.int64), np.zeros((0, 4), np.float32)
            return Candidates(*(arrays.array(values) for values in (image, boxes, origin)))
        image, origin, boxes, scores = (arrays.concat(values) for values in zip(*found, strict=True))
        self._require_finite(boxes, scores)
        offsets, boxes = boxes[:, 4:], boxes[:, :4]
        keep = arrays.suppress(boxes, scores, image * 1024 + origin[:, 0], 0.5)
        keep = keep[arrays.suppress(boxes[keep], scores[keep], image[keep], 0.7)]
        return Candidates(image[keep], square(moved(boxes[keep], offsets[keep], extra=0)), origin[keep])

    def _propose_level(
        self, tables: Tables, first: int, same: int, number: int, level: Level
    ) -> list[tuple[Any, Any, Any, Any]]:
        arrays = self._arrays
        step = max(1, self._stages.passes.pyramid // (level.height * level.width))
        found = []
        for begin in range(first, first + same, step):
            count = min(step, first + same - begin)
            probability, offsets = self._stages.pnet(shrink(tables, begin, count, (level.height, level.width)))
            # Written so that NaN counts as a candidate: it has to raise an error instead of meaning "no face".
            owner, row, column = arrays.where(~(probability < self.settings.thresholds[0]))
            origin = arrays.stack([owner * 0 + number, column, row], 1)
            boxes = [arrays.floor(corner) for corner in level.corners(arrays.float32(origin[:, 1:]))]
            boxes.append(offsets[owner, :, row, column])
            found.append((owner + begin, origin, arrays.concat(boxes, 1), probability[owner, row, column]))
        return found

    def _refine(self, tables: Tables, candidates: Candidates) -> Candidates:
        judged, outputs = self._classify(self._stages.rnet, 24, self._stages.passes.rnet, tables, candidates)
        passed = outputs[0] > self.settings.thresholds[1]
        judged, (probability, offsets) = judged[passed], (values[passed] for values in outputs)
        keep = self._arrays.suppress(judged.boxes, probability, judged.image, 0.7)
        judged = judged[keep]
        return Candidates(judged.image, square(moved(judged.boxes, offsets[keep], extra=1)), judged.origin)

    def _output(self, tables: Tables, candidates: Candidates) -> tuple[Any, Any, Any, Any]:
        judged, outputs = self._classify(self._stages.onet, 48, self._stages.passes.onet, tables, candidates)
        image, boxes, (probability, offsets, points) = judged.image, judged.boxes, outputs
        # If O-Net's probabilities are equal, the published code (nms.m, Min rule) keeps the later candidate.
        passed = self._arrays.flipped(self._arrays.where(probability > self.settings.thresholds[2])[0])
        image, boxes, probability = image[passed], boxes[passed], probability[passed]
        landmarks = placed(boxes, points[passed])
        boxes = moved(boxes, offsets[passed], extra=1)
        keep = self._arrays.suppress(boxes, probability, image, 0.7, True)
        return image[keep], boxes[keep], probability[keep], landmarks[keep]

    def _classify(
        self, network: Callable[[Any], Any], side: int, batch: int, tables: Tables, candidates: Candidates
    ) -> tuple[Candidates, list[Any]]:
        """The candidates that overlap their image, and the network's outputs for them.

        A candidate that crosses the image's edge stays a square and is padded with black, as in pad.m of the
        published code. (facenet-pytorch clips it and stretches the remainder to a square.)
        Candidates are cropped and classified in passes of limited size, so that a pass stays in the CPU's cache
        and memory stays bounded.
        """
        arrays = self._arrays
        pixels = arrays.int64(candidates.boxes)
        limit = arrays.stack([tables.width[candidates.image], tables.height[candidates.image]], 1)
        # Boxes count pixels from 1 and include their last row and column.
        begin, end = pixels[:, :2] - 1, pixels[:, 2:]
        inside = (arrays.minimum(end, limit) > begin.clip(0)).all(1)
        judged, pixels = candidates[inside], arrays.concat([begin, end], 1)[inside]
        count = len(judged.image)
        passes = [network(cut(tables, judged.image[rows], pixels[rows], side)) for rows in self._passes(count, batch)]
        outputs = [arrays.concat(values)[:count] for values in zip(*passes, strict=True)]
        self._require_finite(*outputs)
        return judged, outputs

    def _require_finite(self, *outputs: Any) -> None:
        """Reject NaN and infinity, which comparisons would treat as a place without a face.

        Raises:
            ModelError: a network returned NaN or infinity.
        """
        if not np.isfinite(self._arrays.host(sum(values.sum() for values in outputs))):
            raise ModelError(
                f"MTCNN returns non-finite numbers with {self.engine}, so no face would be found; "
                f"try another {parameter('device')} or {parameter('engine')}"
            )

    def _passes(self, count: int, batch: int) -> list[Any]:
        """The candidates of each pass through a network; at least one pass, which may be empty."""
        if not self._stages.padded:
            return [slice(first, first + batch) for first in range(0, max(count, 1), batch)]
        padded = self._arrays.arange(count + -count % batch).clip(max=max(count - 1, 0))
        return [padded[first : first + batch] for first in range(0, max(len(padded), 1), batch)]
