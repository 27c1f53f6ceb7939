"""Aligned crops from images and landmarks, and crops of one size adapted to a network of another."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from facepipe.alignment.similarity import FITS
from facepipe.alignment.templates import Template, template
from facepipe.alignment.warp import warp
from facepipe.errors import ImageError


class Aligner:
    """Produces crops in which the five landmarks are at the positions of a template.

    Args:
        cut: name of a template, see `facepipe.alignment.TEMPLATES`, or a `Template`.

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
            uint8 h×w×3, black outside the image.

        Raises:
            FacepipeError: no similarity transform fits the landmarks.
        """
        return warp(image, self.matrix(landmarks), *self.size)

    def matrix(self, landmarks: np.ndarray) -> np.ndarray:
        """The map from crop pixels to image pixels for a face's landmarks, float64 2×3.

        Raises:
            FacepipeError: no similarity transform fits the landmarks.
        """
        shifted = np.asarray(landmarks, np.float64) + self.template.landmark_shift
        return FITS[self.template.fit](self.template.points, shifted)

    def cut(self, image: np.ndarray, landmarks: np.ndarray) -> Any:
        """The crop as a cropper keeps it until `stack`; here the crop itself. Arguments and errors as for a call."""
        return self(image, landmarks)

    def stack(self, crops: Sequence[Any]) -> Any:
        """The crops of a batch in one array, uint8 N×h×w×3, ready for `facepipe.embedding.Embedder`."""
        return np.stack(crops) if len(crops) else np.zeros((0, *self.size, 3), np.uint8)

    def centre(self, image: np.ndarray) -> np.ndarray:
        """The crop for an image in which no face was found: the middle 60 % of it, scaled.

        In photographs like LFW's, the face then fills the crop about as much as an aligned face does.
        """
        return self._middle(image, 0.6)

    def accept(self, image: np.ndarray) -> np.ndarray:
        """The crop for an image that is already aligned.

        A crop of the template's size is returned unchanged, the 112×96 template takes the middle 96 columns of a
        112×112 crop, and any other picture is scaled to fill the crop.
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


def fit_crop(crop: np.ndarray, size: tuple[int, int], how: str = "middle") -> np.ndarray:
    """Bring a uint8 h×w×3 crop to ``size`` (H, W).

    ``middle`` takes the middle columns of a crop that has the right height and is at most a quarter too wide
    (the middle 96 columns of a 112×112 crop are SphereFace's 112×96); ``resize`` scales any crop, ignoring its shape.

    Raises:
        ImageError: ``middle`` is not possible.
    """
    height, width = size
    tall, wide = crop.shape[:2]
    if (tall, wide) == size:
        return crop
    if how == "resize":
        return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA))
    if tall == height and width < wide <= 1.25 * width:
        left = (wide - width) // 2
        return crop[:, left : left + width]
    raise ImageError(
        f"the crop is {tall}×{wide}, the network takes {height}×{width}: align the photos with facepipe "
        "preprocess first, or set data.fit = 'resize'"
    )
