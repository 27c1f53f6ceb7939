"""Does `facepipe.detection.cascade.MTCNN` agree with facenet-pytorch's MTCNN, with equal settings?

    python benchmarks/detector_parity.py FOLDER [--preset fast] [--limit 200] [--batch 32] [--border 0.5]

prints JSON: ``faces`` of facenet-pytorch, the share of them that facepipe ``found`` (IoU at least 0.95 and every
landmark within one pixel), the ``extra`` faces that only facepipe has, the worst differences in pixels among the
found ones, and which faces were ``missed``.

Only faces at least half their longer side away from the image's edge are compared: a candidate that crosses the
edge is padded with black by facepipe, as published, and clipped by facenet-pytorch. With --border both get the image
inside a black border of that fraction of its longer side, so that faces at the edge are compared too.

By default the peer gets one image at a time: among candidates with equal probabilities (they saturate at 1) it keeps
the last one, but in a batch it sorts all images' candidates with an unstable sort, so that its choice depends on the
other images.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import facenet_pytorch
import numpy as np
import torch

from facepipe.detection import PRESETS, DetectorSettings, Faces, preset
from facepipe.detection.cascade import MTCNN
from facepipe.detection.workers import map_on_cores
from facepipe.images import list_images, read_rgb

MIN_IOU, MAX_LANDMARK, CLEARANCE = 0.95, 1.0, 0.5
_TOGETHER = 64


def peer(settings: DetectorSettings, device: str = "cpu") -> facenet_pytorch.MTCNN:
    """facenet-pytorch's MTCNN with these settings."""
    return facenet_pytorch.MTCNN(
        min_face_size=settings.min_face,
        factor=settings.factor,
        thresholds=list(settings.thresholds),
        keep_all=True,
        device=torch.device(device),
    )


def peer_faces(mtcnn: facenet_pytorch.MTCNN, images: list[np.ndarray], batch: int = 1) -> list[Faces]:
    """Its detections, in 0-based pixels; images are processed in batches of neighbours of one size, one per core."""
    found = map_on_cores(lambda same: _peer_batch(mtcnn, same), batches(images, batch))
    return [faces for part in found for faces in part]


def _peer_batch(mtcnn: facenet_pytorch.MTCNN, images: list[np.ndarray]) -> list[Faces]:
    found = []
    for boxes, scores, landmarks in zip(*mtcnn.detect(np.stack(images), landmarks=True), strict=True):
        if boxes is None:
            found.append(Faces.none())
        else:
            # It counts pixels from 1, as MATLAB does.
            found.append(Faces(*(np.asarray(values, np.float32) for values in (boxes - 1, scores, landmarks - 1))))
    return found


@dataclass
class Parity:
    """Counts and worst differences so far."""

    images: int = 0
    faces: int = 0
    found: int = 0
    extra: int = 0
    worst_box: float = 0.0
    worst_landmark: float = 0.0
    worst_score: float = 0.0
    missed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The fraction of the peer's faces that were found."""
        return self.found / max(self.faces, 1)

    def add(self, name: str, ours: Faces, theirs: Faces, size: tuple[int, int]) -> None:
        """Count one image of this (height, width): each clear face of the peer with the one of ours that overlaps it
        most, and the clear faces of ours that overlap none of the peer's by half."""
        clear = np.flatnonzero(is_clear(theirs, size))
        overlap = iou(theirs.boxes, ours.boxes)
        self.images += 1
        self.faces += len(clear)
        self.extra += int((is_clear(ours, size) & (overlap.max(0, initial=0) < 0.5)).sum())
        for index in clear:
            best = int(overlap[index].argmax()) if len(ours) else -1
            if best < 0 or not self._equal(overlap[index, best], ours.take([best]), theirs.take([index])):
                self.missed.append({"path": name, "box": theirs.boxes[index].tolist()})

    def _equal(self, overlap: float, ours: Faces, theirs: Faces) -> bool:
        landmark = float(np.linalg.norm(ours.landmarks - theirs.landmarks, axis=2).max())
        if overlap < MIN_IOU or landmark > MAX_LANDMARK:
            return False
        self.found += 1
        self.worst_box = max(self.worst_box, float(np.abs(ours.boxes - theirs.boxes).max()))
        self.worst_landmark = max(self.worst_landmark, landmark)
        self.worst_score = max(self.worst_score, float(np.abs(ours.scores - theirs.scores).max()))
        return True


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of N×4 and M×4 boxes, N×M."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    side = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0, None)
    shared = side.prod(2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b))
    return shared / (area_a[:, None] + area_b - shared)


def is_clear(faces: Faces, size: tuple[int, int]) -> np.ndarray:
    """Which faces are clear of the edge of their image of (height, width), bool N."""
    corner, end = faces.boxes[:, :2], faces.boxes[:, 2:]
    room = CLEARANCE * (end - corner).max(1, keepdims=True)
    return ((corner - room >= 0) & (end + room <= np.array(size[::-1]) - 1)).all(1)


def with_border(image: np.ndarray, share: float) -> np.ndarray:
    """The image in a black border of a fraction ``share`` of its longer side."""
    side = round(share * max(image.shape[:2]))
    return np.pad(image, ((side, side), (side, side), (0, 0)))


def batches(images: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Images in batches of one size, as the peer requires, in order."""
    for _, group in groupby(images, key=lambda image: image.shape):
        while part := list(islice(group, size)):
            yield part


def measure(
    paths: Iterable[Path], settings: DetectorSettings, device: str = "cpu", batch: int = 1, border: float = 0.0
) -> Parity:
    """Run both over the images, each in a border, the peer in batches of at most ``batch``."""
    detector, mtcnn, parity = MTCNN(settings, device), peer(settings, device), Parity()
    paths = iter(paths)
    while part := list(islice(paths, _TOGETHER)):
        images = [with_border(read_rgb(path), border) for path in part]
        found = detector(images)
        for path, image, ours, theirs in zip(part, images, found, peer_faces(mtcnn, images, batch), strict=True):
            parity.add(str(path), ours, theirs, (image.shape[0], image.shape[1]))
    return parity


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Compare facepipe's detector with facenet-pytorch's MTCNN.")
    parser.add_argument("folder", type=Path, help="folder of photos, such as LFW's")
    parser.add_argument("--preset", choices=list(PRESETS), default="sphereface")
    parser.add_argument("--limit", type=int, help="use this many images, spread evenly")
    parser.add_argument("--batch", type=int, default=1, help="batch size of facenet-pytorch")
    parser.add_argument("--border", type=float, default=0.0, help="width of the black border in longer sides")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    paths = list(list_images(arguments.folder))
    step = max(1, len(paths) // arguments.limit) if arguments.limit else 1
    settings = preset(arguments.preset)
    chosen = paths[::step][: arguments.limit]
    parity = measure(chosen, settings, arguments.device, arguments.batch, arguments.border)
    about = {name: getattr(arguments, name) for name in ("preset", "batch", "border")} | {"share": parity.share}
    print(json.dumps(about | vars(parity), indent=2))


if __name__ == "__main__":
    main()
