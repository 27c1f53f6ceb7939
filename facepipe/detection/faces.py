"""The value that detection returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Faces:
    """The faces of one image, always as arrays; N may be 0.

    Attributes:
        boxes: float32 N×4, (left, top, right, bottom) in pixels of the upright image; may reach beyond it.
        scores: float32 N, O-Net's face probability, 0 to 1.
        landmarks: float32 N×5×2, (x, y) of left eye, right eye, nose tip, left and right mouth corner,
            left and right as the viewer sees them.

    The numbers are those of facenet-pytorch's ``MTCNN.detect``. Its landmarks, like MATLAB's, count pixels
    from 1 (on mirrored LFW images x and its mirror sum to width + 1.2, where 0-based pixel centres would
    give width − 1); `pixel_landmarks` gives them 0-based, which is what alignment wants.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    @classmethod
    def none(cls) -> "Faces":
        """No face at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: np.ndarray | list[int]) -> "Faces":
        """The faces at ``index`` (integers or a boolean mask of length N), in that order."""
        index = np.asarray(index, dtype=None if len(index) else np.intp)
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])

    def scaled(self, factor: float) -> "Faces":
        """The same faces in an image that is ``factor`` times as large."""
        return Faces(self.boxes * np.float32(factor), self.scores, self.landmarks * np.float32(factor))

    @property
    def pixel_landmarks(self) -> np.ndarray:
        """Landmarks as 0-based pixels with pixel centres at integers, float32 N×5×2."""
        return self.landmarks - np.float32(1)
