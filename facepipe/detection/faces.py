"""The result of detection."""

from dataclasses import dataclass, replace

import numpy as np

PLAIN = "plain"


@dataclass(frozen=True)
class Faces:
    """The faces of one image, always as arrays; N may be 0.

    Coordinates are 0-based pixels of the upright image, x right, y down, pixel centres at integers.

    Attributes:
        boxes: float32 N×4, (left, top, right, bottom) of the first and last pixel; may extend beyond the image.
        scores: float32 N, the detector's face probability, 0 to 1.
        landmarks: float32 N×5×2, (x, y) of left eye, right eye, nose tip, left and right mouth corner,
            left and right as the viewer of an upright face sees them.
        search: the search that found them: ``plain``; ``border``, in a black border; ``turned-90``, ``turned-180``,
            ``turned-270``, after a counterclockwise rotation by that many degrees; ``border-turned-90`` and so on; or
            ``lenient-border``, in a border and with a lower threshold.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    search: str = PLAIN

    @classmethod
    def none(cls) -> "Faces":
        """An empty result."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: np.ndarray | list[int]) -> "Faces":
        """The faces at ``index`` (integers or a boolean mask of length N), in that order."""
        index = np.asarray(index, dtype=None if len(index) else np.intp)
        return replace(self, boxes=self.boxes[index], scores=self.scores[index], landmarks=self.landmarks[index])

    def moved(self, scale: tuple[float, float], shift: tuple[float, float]) -> "Faces":
        """The same faces in a scaled and shifted image: x becomes x·scale + shift, likewise y."""
        factor, offset = np.array(scale, np.float32), np.array(shift, np.float32)
        boxes = self.boxes * np.tile(factor, 2) + np.tile(offset, 2)
        return replace(self, boxes=boxes, landmarks=self.landmarks * factor + offset)
