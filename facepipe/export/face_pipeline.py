"""Detects, aligns, embeds and compares faces with the ONNX files in this folder, using only NumPy and OpenCV.

Written by ``facepipe models export --pipeline``; copy the folder into your product and adapt it as you like.

    pipeline = FacePipeline("folder")
    answer = pipeline.compare(cv2.imread("a.jpg"), cv2.imread("b.jpg"))
    answer["same"], answer["score"]

Images are uint8 H×W×3 as OpenCV reads them (blue first). Points are 0-based pixels, x right, y down. The steps are
those of facepipe's own detector and aligner, with the same faces and embeddings as results.

MIT licence, (c) the authors of facepipe. The licences of the networks are in ``pipeline.json``.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass
class FoundFace:
    """One face: box (left, top, right, bottom), score 0 to 1, landmarks 5×2; once embedded, also embedding and κ."""

    box: np.ndarray
    score: float
    landmarks: np.ndarray
    embedding: "np.ndarray | None" = None
    kappa: "float | None" = None


class FacePipeline:
    """The complete pipeline from a photo to an answer.

    Args:
        folder: with ``pipeline.json`` and the ONNX files.
    """

    def __init__(self, folder: "str | Path" = Path(__file__).parent) -> None:
        folder = Path(folder)
        self.settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        self._networks = {
            name: cv2.dnn.readNetFromONNX(np.frombuffer((folder / f"{name}.onnx").read_bytes(), np.uint8))
            for name in ("pnet", "rnet", "onet", "embedder")
        }

    def compare(self, a: np.ndarray, b: np.ndarray, far: float = 1e-3) -> dict:
        """Whether the largest faces of two photos are of one person, at a false-accept rate from ``settings``.

        Raises:
            ValueError: a photo shows no face, or there is no threshold for the rate.
        """
        faces = [self.largest(image) for image in (a, b)]
        threshold = next((one["value"] for one in self.settings["thresholds"] if one["far"] == far), None)
        if threshold is None:
            raise ValueError(f"no threshold at {far}: {[one['far'] for one in self.settings['thresholds']]}")
        score = self.cosine(faces[0], faces[1])
        return {"same": score >= threshold, "score": score, "threshold": threshold, "far": far, "faces": faces}

    def largest(self, image: np.ndarray) -> FoundFace:
        """The largest face, embedded; of several about equally large the one nearest the centre."""
        faces = self.detect(image)
        if not faces:
            raise ValueError("no face in a photo")
        sides = np.array([face.box for face in faces])
        height, width = image.shape[:2]
        inside = np.minimum(sides[:, 2:] + 1, [width, height]) - np.maximum(sides[:, :2], 0)
        area, whole = inside.clip(0).prod(1), (sides[:, 2:] - sides[:, :2] + 1).prod(1)
        size = area * area / whole
        distance = (((sides[:, :2] + sides[:, 2:]) / 2 + 1 - np.array([width, height]) / 2) ** 2).sum(1)
        face = faces[int(np.where(size >= 0.8 * size.max(), distance, np.inf).argmin())]
        return self.embed(image, [face])[0]

    @staticmethod
    def cosine(a: FoundFace, b: FoundFace) -> float:
        """The score of two embedded faces."""
        x, y = (np.asarray(face.embedding, np.float64) for face in (a, b))
        return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))

    def embed(self, image: np.ndarray, faces: "list[FoundFace]") -> "list[FoundFace]":
        """The same faces with embeddings (not of unit length) and, if the model has it, κ."""
        for face in faces:
            crop = self.align(image, face.landmarks)[..., ::-1].astype(np.float32)
            found = self._run("embedder", np.ascontiguousarray(crop.transpose(2, 0, 1)[None]))
            face.embedding = found[0][0]
            face.kappa = float(np.exp(found[1][0, 0])) if self.settings["outputs"][1:] == ["log_kappa"] else None
        return faces

    def align(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The crop in which the landmarks are at the template's positions."""
        cut = self.settings["template"]
        axes = np.array([1, 1j])
        points, image_points = np.array(cut["points"]) @ axes, (np.float64(landmarks) + cut["landmark_shift"]) @ axes
        source, target = (image_points, points) if cut["fit"] == "umeyama" else (points, image_points)
        centred = source - source.mean()
        turn = np.vdot(centred, target - target.mean()) / np.vdot(centred, centred).real
        shift = target.mean() - turn * source.mean()
        if cut["fit"] == "umeyama":
            turn, shift = 1 / turn, -shift / turn
        matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        factor = int(abs(turn))
        if factor >= 2:  # bilinear sampling would skip pixels: average blocks first
            height, width = image.shape[0] // factor, image.shape[1] // factor
            image = cv2.resize(
                image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA
            )
            matrix[:, 2] -= (factor - 1) / 2
            matrix /= factor
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, matrix, (cut["width"], cut["height"]), flags=flags)

    def detect(self, image: np.ndarray) -> "list[FoundFace]":
        """All faces, best first; if none is found, searched again in a black border and rotated, as in the settings."""
        rgb, how = np.ascontiguousarray(image[..., ::-1]), self.settings["detector"]
        faces = self._find(rgb)
        best = max((face.score for face in faces), default=0.0)
        turned = [(k, False) for k in (1, 2, 3)] if how["turns"] else []
        if 0 < best < how["confident_score"] and turned:
            other = self._best(rgb, turned)
            if other and other[0].score >= how["confident_score"]:
                return other
        if not faces:
            faces = self._best(rgb, ([(0, True)] if how["border"] else []) + turned)
        if not faces and turned and how["border"]:
            faces = self._best(rgb, [(k, True) for k in (1, 2, 3)])
        return faces

    def _best(self, image: np.ndarray, views: "list[tuple[int, bool]]") -> "list[FoundFace]":
        """The faces in that view of an image (quarter turns, with or without a border) which has the best face."""
        each = [self._view(image, *view) for view in views]
        return max(each, key=lambda faces: faces[0].score if faces else 0.0, default=[])

    def _view(self, image: np.ndarray, turns: int, bordered: bool) -> "list[FoundFace]":
        side, scale, full = 0, np.ones(2), image.shape
        if bordered:
            ratio = min(1.0, 256 / min(full[:2]))
            height, width = max(1, round(full[0] * ratio)), max(1, round(full[1] * ratio))
            image, scale = _reduced(image, height, width), np.array([full[1] / width, full[0] / height])
            side = max(1, round(0.5 * max(height, width)))
            image = np.pad(image, ((side, side), (side, side), (0, 0)))
        faces = self._find(np.ascontiguousarray(np.rot90(image, turns)))
        height, width = image.shape[:2]
        for face in faces:
            points = np.concatenate([face.box.reshape(2, 2), face.landmarks])
            for done in range(turns):
                last = (width if (turns - done) % 2 else height) - 1
                points = np.stack([last - points[:, 1], points[:, 0]], 1)
            points = (points - side) * scale + (scale - 1) / 2
            face.box = np.concatenate([points[:2].min(0), points[:2].max(0)])
            face.landmarks = points[2:]
        return faces

    def _find(self, image: np.ndarray) -> "list[FoundFace]":
        """MTCNN (Zhang et al., 2016) on uint8 RGB: P-Net on a pyramid, then R-Net and O-Net on its candidates."""
        height, width = image.shape[:2]
        ratio = min(1.0, (self.settings["detector"]["max_pixels"] / (height * width)) ** 0.5)
        small = max(1, round(height * ratio)), max(1, round(width * ratio))
        table = cv2.integral(_reduced(image, *small), sdepth=cv2.CV_32S)
        boxes = self._refined(table, self._proposed(table, small))
        boxes, scores, landmarks = self._settled(table, boxes)
        across = np.array([width / small[1], height / small[0]])
        order = np.argsort(-scores, kind="stable")
        corners = (boxes.reshape(-1, 2, 2) - 1) * across + (across - 1) / 2
        landmarks = (landmarks - 1) * across + (across - 1) / 2
        return [FoundFace(corners[n].reshape(4), float(scores[n]), landmarks[n]) for n in order]

    def _proposed(self, table: np.ndarray, size: "tuple[int, int]") -> np.ndarray:
        how = self.settings["detector"]
        scale, found = 12 / how["min_face"], []
        while min(size) * scale >= 12:
            height, width = int(size[0] * scale + 1), int(size[1] * scale + 1)
            whole = np.array([[0, 0, size[1], size[0]]])
            probability, offsets = self._run("pnet", _cut(table, whole, height, width))
            row, column = np.nonzero(probability[0, 1] >= np.float32(how["thresholds"][0]))
            corner = np.stack([column, row], 1).astype(np.float32) * 2
            boxes = np.floor(np.concatenate([corner + 1, corner + 12], 1) / np.float32(scale))
            scores = probability[0, 1, row, column]
            keep = _suppressed(boxes, scores, 0.5)
            found.append((boxes[keep], scores[keep], offsets[0][:, row, column].T[keep]))
            scale *= how["factor"]
        if not found:
            return np.zeros((0, 4), np.float32)
        boxes, scores, offsets = (np.concatenate(part) for part in zip(*found, strict=True))
        keep = _suppressed(boxes, scores, 0.7)
        return _square(_moved(boxes[keep], offsets[keep], 0))

    def _refined(self, table: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        boxes, crops = _candidates(table, boxes, 24)
        if not len(boxes):
            return boxes
        probability, offsets = self._run("rnet", crops)
        passed = probability[:, 1] > np.float32(self.settings["detector"]["thresholds"][1])
        boxes, scores, offsets = boxes[passed], probability[passed, 1], offsets[passed]
        keep = _suppressed(boxes, scores, 0.7)
        return _square(_moved(boxes[keep], offsets[keep], 1))

    def _settled(self, table: np.ndarray, boxes: np.ndarray) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        boxes, crops = _candidates(table, boxes, 48)
        if not len(boxes):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        probability, offsets, points = self._run("onet", crops)
        # Among equal scores the later candidate is kept, as in the published code.
        passed = np.nonzero(probability[:, 1] > np.float32(self.settings["detector"]["thresholds"][2]))[0][::-1]
        boxes, scores = boxes[passed], probability[passed, 1]
        side = boxes[:, None, 2:] - boxes[:, None, :2] + 1
        landmarks = side * points[passed].reshape(-1, 2, 5).swapaxes(1, 2) + boxes[:, None, :2] - 1
        boxes = _moved(boxes, offsets[passed], 1)
        keep = _suppressed(boxes, scores, 0.7, over_smaller=True)
        return boxes[keep], scores[keep], landmarks[keep]

    def _run(self, name: str, batch: np.ndarray) -> "list[np.ndarray]":
        network, outputs = self._networks[name], self.settings["networks"][name]
        network.setInput(batch)
        return [np.array(values) for values in network.forward(outputs)]


def _reduced(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _candidates(table: np.ndarray, boxes: np.ndarray, side: int) -> "tuple[np.ndarray, np.ndarray]":
    """Boxes that overlap the image, and their contents; black outside the image."""
    whole = boxes.astype(np.int64)
    begin, end = whole[:, :2] - 1, whole[:, 2:]
    limit = np.array([table.shape[1] - 1, table.shape[0] - 1])
    inside = (np.minimum(end, limit) > begin.clip(0)).all(1)
    return boxes[inside], _cut(table, np.concatenate([begin, end], 1)[inside], side, side)


def _cut(table: np.ndarray, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes (right and bottom exclusive) resampled by areas, from the image's summed-area table."""
    x = boxes[:, :1] + _edges(boxes[:, 2:3] - boxes[:, :1], width)
    y = boxes[:, 1:2] + _edges(boxes[:, 3:4] - boxes[:, 1:2], height)
    inner_x, inner_y = x.clip(0, table.shape[1] - 1), y.clip(0, table.shape[0] - 1)
    corners = table[inner_y[:, :, None], inner_x[:, None, :]]
    band = corners[:, height:] - corners[:, :height]
    sums = (band[:, :, width:] - band[:, :, :width]).astype(np.float32)
    area = (y[:, height:] - y[:, :height])[:, :, None, None] * (x[:, width:] - x[:, :width])[:, None, :, None]
    means = sums * (1 / (area.astype(np.float32) * 128)) - np.float32(127.5 / 128)
    return np.ascontiguousarray(means.transpose(0, 3, 1, 2))


def _edges(length: np.ndarray, count: int) -> np.ndarray:
    step = np.arange(count)
    return np.concatenate([step * length // count, ((step + 1) * length + count - 1) // count], 1)


def _moved(boxes: np.ndarray, offsets: np.ndarray, extra: int) -> np.ndarray:
    side = boxes[:, 2:] - boxes[:, :2] + extra
    return boxes + offsets * side[:, [0, 1, 0, 1]]


def _square(boxes: np.ndarray) -> np.ndarray:
    side = boxes[:, 2:] - boxes[:, :2]
    longest = side.max(1, keepdims=True)
    corner = boxes[:, :2] + side * 0.5 - longest * 0.5
    return np.concatenate([corner, corner + longest], 1)


def _suppressed(boxes: np.ndarray, scores: np.ndarray, threshold: float, over_smaller: bool = False) -> np.ndarray:
    """Greedy non-maximum suppression: indices of the surviving boxes, best first."""
    extra = 1 if over_smaller else 0
    left, top, right, bottom = boxes.T
    area = (right - left + extra) * (bottom - top + extra)
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        width = (np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + extra).clip(0)
        height = (np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + extra).clip(0)
        shared = width * height
        whole = np.minimum(area[best], area[rest]) if over_smaller else area[best] + area[rest] - shared
        order = rest[~(shared > np.float32(threshold) * whole)]
    return np.array(kept, int)
