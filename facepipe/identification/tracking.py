"""Tracking: linking faces in successive frames by overlap and by embedding.

Trackers that use only boxes, such as ByteTrack, join two people when a cut puts one where the other was, and lose
whoever turns away for a moment. Every face here has an embedding anyway, so both are used.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from facepipe.embedding import Embeddings, join
from facepipe.identification.confidence import confidence, confidence_kind
from facepipe.identification.decision import curve
from facepipe.score.cosine import unit
from facepipe.score.pool import pool
from facepipe.zoo import Card

_OVERLAP, _KEPT = 0.3, 32
_NEVER = -1e6
_STEPS, _MISSED = 9, 2.5
"""Number of steps for the median, and how many median steps a track may go without a face."""
_AWAY = 1.0
"""Seconds between two faces of a track that count as a gap."""
_LOW = 0.85
"""Roughly what the threshold at FAR 1e-3 is of that at FAR 1e-4 on the cards."""


@dataclass
class Track:
    """Consecutive faces of one person.

    Attributes:
        number: from 1, in order of appearance.
        box: last box of the face, float32 4.
        first, last: times in seconds.
        faces: number of faces.
        best: embeddings of the most confident faces, at most 32.
        latest: unit vector of the last face.
        gaps: times of the faces before and after each gap of more than a second.
    """

    number: int
    box: np.ndarray
    first: float
    last: float
    best: Embeddings
    latest: np.ndarray
    faces: int = 1
    pooled: np.ndarray = field(init=False)
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pooled = unit(self.template().mu)[0]

    def template(self) -> Embeddings:
        """One embedding of the track: its best faces pooled by confidence."""
        return pool(self.best, np.zeros(len(self.best), np.int64), confidence_kind(self.best))

    def add(self, box: np.ndarray, time: float, face: Embeddings) -> None:
        """Extend the track by a face."""
        if time - self.last > _AWAY:
            self.gaps.append((self.last, time))
        self.box, self.last, self.faces = box, time, self.faces + 1
        self.latest = unit(face.mu)[0]
        both = join([self.best, face])
        self.best = both.take(np.argsort(-confidence(both), kind="stable")[:_KEPT])
        self.pooled = unit(self.template().mu)[0]


class Tracker:
    """Assigns faces to tracks.

    A face extends a track if it overlaps the track's last box (IoU of 0.3 or more) and its embedding does not
    contradict it (cosine of at least ``low`` with the track's last face or with the pooled track), or, wherever it is,
    if its cosine is at least ``same``. Each face joins at most one track; the assignment with the highest sum of IoU
    and cosine is chosen.

    Args:
        low: cosine below which two faces count as different people, even in the same place.
        same: cosine from which two faces count as the same person, even in different places.
        patience: seconds after which a track without new faces ends; at least two and a half steps between searched
            frames, as reported to `searched`.
    """

    def __init__(self, low: float, same: float, patience: float = 1.0) -> None:
        self.low, self.same, self.patience = low, same, patience
        self.open: list[Track] = []
        self._number = 0
        self._times: deque[float] = deque(maxlen=_STEPS + 1)

    def searched(self, time: float) -> None:
        """Report every searched frame, including those without a face, before its `update`."""
        self._times.append(time)

    @property
    def _gap(self) -> float:
        """Seconds without a face after which a track ends: one step may be missed, whatever its length."""
        steps = np.diff(np.array(self._times))
        return max(self.patience, _MISSED * float(np.median(steps))) if len(steps) else self.patience

    def update(self, time: float, boxes: np.ndarray, faces: Embeddings) -> tuple[list[Track], list[Track]]:
        """Add the faces of the next frame.

        Args:
            time: of the frame, in seconds, increasing.
            boxes: float N×4.
            faces: N embeddings.

        Returns:
            The track of each face, and the tracks that ended.
        """
        gap = self._gap
        ended = [track for track in self.open if time - track.last > gap]
        self.open = [track for track in self.open if time - track.last <= gap]
        vectors = unit(faces.mu)
        owner: dict[int, Track] = {}
        if self.open and len(boxes):
            from scipy.optimize import linear_sum_assignment  # imported here, as photos do not need it

            gain = self._gain(boxes, vectors)
            for row, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
                if gain[row, column] > _NEVER:
                    owner[int(column)] = self.open[row]
        found = []
        for index in range(len(boxes)):
            face = faces.take([index])
            track = owner.get(index)
            if track is None:
                self._number += 1
                track = Track(self._number, boxes[index], time, time, face, vectors[index])
                self.open.append(track)
            else:
                track.add(boxes[index], time, face)
            found.append(track)
        return found, ended

    def _gain(self, boxes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """IoU + cosine of every open track with every face; a large negative number if they cannot match."""
        overlap = iou(np.stack([track.box for track in self.open]), boxes)
        latest = np.stack([track.latest for track in self.open]) @ vectors.T
        cosine = np.maximum(latest, np.stack([track.pooled for track in self.open]) @ vectors.T)
        allowed = ((overlap >= _OVERLAP) & (cosine >= self.low)) | (cosine >= self.same)
        return np.where(allowed, overlap + cosine, _NEVER)


def tracker_for(card: Card, flip: str | None, threshold: float) -> Tracker:
    """A tracker with the card's thresholds nearest to FAR 1e-3 and 1e-4.

    A cut may put a stranger where somebody was: at FAR 1e-2, one in a hundred of them would take over the name.

    Args:
        card: of the model that embeds the faces.
        flip: flip rule of the embeddings; None means the card's own.
        threshold: cosine from which two faces count as the same person if the card has no thresholds; a share of it is
            then enough in the same place.
    """
    points = curve(card, flip=flip)
    if not points:
        return Tracker(_LOW * threshold, threshold)
    low, high = (min(points, key=lambda point: abs(point[0] - wanted))[1] for wanted in (3, 4))
    return Tracker(low, high)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes N×4 with boxes M×4; float64 N×M, 0 for boxes without area."""
    a, b = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    side = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = np.clip(side, 0, None).prod(-1)
    whole = _area(a) + _area(b) - inside
    return np.where(whole > 0, inside / np.where(whole > 0, whole, 1), 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(-1)
