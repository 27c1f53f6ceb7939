"""Augmentation of aligned crops, uint8 H×W×3 RGB, each a function of the crop and of given numbers in [0, 1).

The numbers come from ``order.uniforms``, so a crop changes the same way whatever thread draws it and however
often the run was stopped. SphereFace mirrors only; the rest is for small, soft and recompressed faces.
"""

from collections.abc import Callable

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

NUMBERS = 24
"""Numbers that one sample takes."""

Chance = Field(default=0.0, ge=0, le=1)


class Augment(BaseModel):
    """Chance of each change, and how far it goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror: float = Field(default=0.5, ge=0, le=1)
    crop: float = Chance
    crop_smallest: float = Field(default=0.85, gt=0.2, le=1)  # side of the window, as a share of the crop
    colour: float = Chance
    colour_range: float = Field(default=0.3, ge=0, lt=1)  # brightness, contrast, saturation × (1 ± range)
    grey: float = Chance
    blur: float = Chance
    blur_sigma: float = Field(default=2.0, gt=0.3, le=10)  # largest, pixels
    low_resolution: float = Chance
    low_resolution_smallest: float = Field(default=0.25, gt=0.05, le=1)  # share of the side kept
    jpeg: float = Chance
    jpeg_lowest: int = Field(default=30, ge=1, le=95)  # quality; the highest is 95

    @property
    def only_mirror(self) -> bool:
        """Whether a batch can be changed as a whole."""
        return not any((self.crop, self.colour, self.grey, self.blur, self.low_resolution, self.jpeg))


def augment_batch(crops: np.ndarray, numbers: np.ndarray, settings: Augment) -> None:
    """Change uint8 N×H×W×3 crops in place, with float64 N×NUMBERS ``numbers`` in [0, 1)."""
    if not settings.only_mirror:
        for crop, row in zip(crops, numbers, strict=True):
            crop[:] = _augment_one(crop, row, settings)
    turned = numbers[:, 0] < settings.mirror
    crops[turned] = crops[turned, :, ::-1]


def _augment_one(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    steps: list[tuple[float, Callable[[np.ndarray, np.ndarray, Augment], np.ndarray], int]] = [
        (settings.crop, _window, 1),
        (settings.colour, _colour, 5),
        (settings.grey, _grey, 10),
        (settings.blur, _blur, 12),
        (settings.low_resolution, _low_resolution, 15),
        (settings.jpeg, _jpeg, 18),
    ]
    for chance, change, first in steps:
        if numbers[first] < chance:
            crop = change(crop, numbers[first + 1 :], settings)
    return crop


def _window(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    height, width = crop.shape[:2]
    share = settings.crop_smallest + (1 - settings.crop_smallest) * numbers[0]
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = int(numbers[1] * (height - tall + 1)), int(numbers[2] * (width - wide + 1))
    window = np.ascontiguousarray(crop[top : top + tall, left : left + wide])
    return np.asarray(cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR))


def _colour(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    brightness, contrast, saturation = 1 + settings.colour_range * (2 * numbers[:3] - 1)
    values = crop.astype(np.float32) * np.float32(brightness)
    mean = values.mean()
    values = mean + np.float32(contrast) * (values - mean)
    grey = (values @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None]
    values = grey + np.float32(saturation) * (values - grey)
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _grey(crop: np.ndarray, _: np.ndarray, __: Augment) -> np.ndarray:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _blur(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    sigma = 0.3 + (settings.blur_sigma - 0.3) * float(numbers[0])
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma))


def _low_resolution(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    height, width = crop.shape[:2]
    smallest = settings.low_resolution_smallest
    share = smallest + (1 - smallest) * float(numbers[0])
    small = cv2.resize(
        crop, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _jpeg(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    quality = settings.jpeg_lowest + int(float(numbers[0]) * (96 - settings.jpeg_lowest))
    # OpenCV takes blue first, and JPEG keeps less of the colour than of the brightness.
    bgr = np.ascontiguousarray(crop[:, :, ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[:, :, ::-1]
