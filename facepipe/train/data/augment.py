"""Augmentation of aligned crops, uint8 H×W×3 RGB, each a function of the crop and of given numbers in [0, 1).

The numbers come from ``order.uniforms``, so a crop changes the same way whatever thread draws it and however
often the run was stopped. SphereFace mirrors only; the rest is for small, soft and recompressed faces.
"""

from collections.abc import Callable

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facepipe.train.data.fill_outside import fill_outside

NUMBERS = 36
"""Numbers that one sample takes."""

Chance = Field(default=0.0, ge=0, le=1)


class Augment(BaseModel):
    """Chance of each change, and how far it goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror: float = Field(default=0.5, ge=0, le=1)
    fill: float = Chance  # of the black outside of tight crops
    warp: float = Chance
    warp_shift: float = Field(default=3.0, ge=0, le=50)  # largest, pixels, each way
    warp_scale: float = Field(default=0.06, ge=0, lt=1)  # size × (1 ± scale)
    warp_angle: float = Field(default=6.0, ge=0, le=180)  # largest, degrees, each way
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
    erase: float = Chance
    erase_largest: float = Field(default=0.4, gt=0, le=1)  # side of the rectangle, as a share of the crop

    @property
    def only_mirror(self) -> bool:
        """Whether a batch can be changed as a whole."""
        geometry = (self.fill, self.warp, self.crop, self.erase)
        return not any((*geometry, self.colour, self.grey, self.blur, self.low_resolution, self.jpeg))


def augment_batch(crops: np.ndarray, numbers: np.ndarray, settings: Augment) -> None:
    """Change uint8 N×H×W×3 crops in place, with float64 N×NUMBERS ``numbers`` in [0, 1)."""
    if not settings.only_mirror:
        for crop, row in zip(crops, numbers, strict=True):
            crop[:] = _augment_one(crop, row, settings)
    turned = numbers[:, 0] < settings.mirror
    crops[turned] = crops[turned, :, ::-1]


def _augment_one(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    steps: list[tuple[float, Callable[[np.ndarray, np.ndarray, Augment], np.ndarray], int]] = [
        (settings.fill, _fill, 20),
        (settings.warp, _warp, 22),
        (settings.crop, _window, 1),
        (settings.colour, _colour, 5),
        (settings.grey, _grey, 10),
        (settings.blur, _blur, 12),
        (settings.low_resolution, _low_resolution, 15),
        (settings.jpeg, _jpeg, 18),
        (settings.erase, _erase, 28),
    ]
    for chance, change, first in steps:
        if numbers[first] < chance:
            crop = change(crop, numbers[first + 1 :], settings)
    return crop


def _fill(crop: np.ndarray, _: np.ndarray, __: Augment) -> np.ndarray:
    return fill_outside(crop)


def _warp(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """Turn and scale about the centre, then shift; what comes in from outside repeats the border."""
    height, width = crop.shape[:2]
    both = 2 * numbers[:4] - 1
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, settings.warp_angle * both[0], 1 + settings.warp_scale * both[1])
    matrix[:, 2] += settings.warp_shift * both[2:]
    return np.asarray(
        cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _window(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    height, width = crop.shape[:2]
    share = settings.crop_smallest + (1 - settings.crop_smallest) * numbers[0]
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = int(numbers[1] * (height - tall + 1)), int(numbers[2] * (width - wide + 1))
    window = np.ascontiguousarray(crop[top : top + tall, left : left + wide])
    return np.asarray(cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR))


def _colour(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    brightness, contrast, saturation = 1 + settings.colour_range * (2 * numbers[:3] - 1)
    # One product of each pixel with a matrix, since all three changes are affine: x → b·x, then
    # mean + c·(x − mean), then grey + s·(x − grey), where the middle one shifts the grey with the pixel.
    mixed = saturation * np.eye(3) + (1 - saturation) * np.array([0.299, 0.587, 0.114])
    shift = np.full((3, 1), (1 - contrast) * brightness * float(np.mean(cv2.mean(crop)[:3])))
    return np.asarray(cv2.transform(crop, np.hstack([brightness * contrast * mixed, shift])))


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


def _erase(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """A rectangle of one colour, the crop's mean, as a hand or a mask hides a part of a face."""
    height, width = crop.shape[:2]
    tall = max(1, round(height * settings.erase_largest * numbers[0]))
    wide = max(1, round(width * settings.erase_largest * numbers[1]))
    top, left = int(numbers[2] * (height - tall + 1)), int(numbers[3] * (width - wide + 1))
    erased = crop.copy(order="C")
    erased[top : top + tall, left : left + wide] = np.rint(cv2.mean(erased)[:3])
    return erased
