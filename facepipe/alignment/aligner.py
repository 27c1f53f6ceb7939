"""Aligned crops from images and landmarks."""

import cv2
import numpy as np

from facepipe.alignment.similarity import FITS
from facepipe.alignment.templates import Template, template
from facepipe.alignment.warp import warp


class Aligner:
    """Cuts crops in which the five landmarks lie where a template has them.

    Args:
        cut: name of a template, see `facepipe.alignment.TEMPLATES`, or a template of one's own.

    Raises:
        FacepipeError: no template has this name.
    """

    def __init__(self, cut: str | Template = "112x112") -> None:
        self.template = cut if isinstance(cut, Template) else template(cut)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a crop."""
        return self.template.height, self.template.width

    def __call__(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The aligned crop of one face.

        Args:
            image: uint8 H×W×3 RGB.
            landmarks: float 5×2, 0-based pixels (`Faces.landmarks`).

        Returns:
            uint8 h×w×3, black where the crop reaches beyond the image.

        Raises:
            FacepipeError: no similarity fits the landmarks.
        """
        shifted = np.asarray(landmarks, np.float64) + self.template.landmark_shift
        return warp(image, FITS[self.template.fit](self.template.points, shifted), *self.size)

    def centre(self, image: np.ndarray) -> np.ndarray:
        """The crop for an image in which no face was found: the middle 60 % of it, scaled.

        In a photograph like those of LFW the face then fills the crop about as an aligned face does.
        """
        return self._middle(image, 0.6)

    def accept(self, image: np.ndarray) -> np.ndarray:
        """The crop for an image that is aligned already.

        A crop of the template's size is taken as it is, a 112×112 crop gives its middle 96 columns to the
        112×96 template, and any other picture is scaled to fill the crop.
        """
        if image.shape[:2] == self.size:
            return image
        if image.shape[0] == self.size[0] and image.shape[1] > self.size[1]:
            first = (image.shape[1] - self.size[1]) // 2
            return np.ascontiguousarray(image[:, first : first + self.size[1]])
        return self._middle(image, 1.0)

    def _middle(self, image: np.ndarray, share: float) -> np.ndarray:
        height, width = self.size
        scale = share * min(image.shape[0] / height, image.shape[1] / width)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
        method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
        return cv2.resize(image[top : top + rows, left : left + columns], (width, height), interpolation=method)
