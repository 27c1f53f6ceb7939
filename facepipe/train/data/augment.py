"""Augmentation of aligned crops, uint8 H×W×3 RGB, as a pure function of the crop and of random numbers in [0, 1).

The numbers come from ``order.uniforms``, so the result depends neither on the thread nor on how often the run was
resumed. SphereFace only mirrors; the rest is for small, blurred and recompressed faces.
"""

from collections.abc import Callable
from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field

from facepipe.train.data.inpaint import inpaint_outside
from facepipe.train.recipe.section import Section

NUMBERS = 60
"""Random numbers needed per sample."""

Chance = Field(default=0.0, ge=0, le=1)


class Augment(Section):
    """Probability and strength of each augmentation."""

    FORMER_NAMES: ClassVar[dict[str, str]] = {"fill": "inpaint"}

    mirror: float = Field(default=0.5, ge=0, le=1)
    inpaint: float = Chance  # fill the black border of tight crops
    warp: float = Chance
    warp_shift: float = Field(default=3.0, ge=0, le=50)  # maximum, pixels, in either direction
    warp_scale: float = Field(default=0.06, ge=0, lt=1)  # size × (1 ± scale)
    warp_angle: float = Field(default=6.0, ge=0, le=180)  # maximum, degrees, in either direction
    perspective: float = Chance
    perspective_share: float = Field(default=0.12, ge=0, lt=0.4)  # maximum shift of a corner, as a fraction of the side
    crop: float = Chance
    crop_smallest: float = Field(default=0.85, gt=0.2, le=1)  # side of the region, as a fraction of the crop
    colour: float = Chance
    colour_range: float = Field(default=0.3, ge=0, lt=1)  # brightness, contrast, saturation × (1 ± range)
    dark: float = Chance
    dark_lowest: float = Field(default=0.15, gt=0, le=1)  # lowest factor of the pixel values, which are rounded
    grey: float = Chance
    blur: float = Chance
    blur_sigma: float = Field(default=2.0, gt=0.3, le=10)  # maximum, pixels
    noise: float = Chance
    noise_sigma: float = Field(default=20.0, gt=0, le=128)  # maximum, of 255; Gaussian, independent for each value
    low_resolution: float = Chance
    low_resolution_smallest: float = Field(default=0.25, gt=0.05, le=1)  # smallest scale of the side
    jpeg: float = Chance
    jpeg_lowest: int = Field(default=30, ge=1, le=95)  # quality; the highest is 95
    occlude: float = Chance  # by sunglasses or a mask, at the eyes or mouth of an aligned face
    erase: float = Chance
    erase_largest: float = Field(default=0.4, gt=0, le=1)  # side of the rectangle, as a fraction of the crop

    @property
    def only_mirror(self) -> bool:
        """Whether mirroring is the only augmentation, so that a batch can be processed as a whole."""
        geometry = (self.inpaint, self.warp, self.perspective, self.crop, self.occlude, self.erase)
        tones = (self.colour, self.dark, self.grey)
        return not any((*geometry, *tones, self.blur, self.noise, self.low_resolution, self.jpeg))


def augment_batch(crops: np.ndarray, numbers: np.ndarray, settings: Augment) -> None:
    """Augment uint8 N×H×W×3 crops in place, with random ``numbers`` in [0, 1), float64 N×NUMBERS."""
    if not settings.only_mirror:
        for crop, row in zip(crops, numbers, strict=True):
            crop[:] = _augment_one(crop, row, settings)
    turned = numbers[:, 0] < settings.mirror
    crops[turned] = crops[turned, :, ::-1]


def _augment_one(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    steps: list[tuple[float, Callable[[np.ndarray, np.ndarray, Augment], np.ndarray], int]] = [
        (settings.inpaint, _inpaint, 20),
        (settings.warp, _warp, 22),
        (settings.perspective, _perspective, 36),
        (settings.crop, _cut_region, 1),
        (settings.occlude, _occlude, 47),
        (settings.colour, _colour, 5),
        (settings.dark, _dark, 45),
        (settings.grey, _grey, 10),
        (settings.blur, _blur, 12),
        (settings.noise, _noise, 54),
        (settings.low_resolution, _low_resolution, 15),
        (settings.jpeg, _jpeg, 18),
        (settings.erase, _erase, 28),
    ]
    for chance, change, first in steps:
        if numbers[first] < chance:
            crop = change(crop, numbers[first + 1 :], settings)
    return crop


def _inpaint(crop: np.ndarray, _: np.ndarray, __: Augment) -> np.ndarray:
    return inpaint_outside(crop)


def _warp(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """Rotate and scale about the centre, then shift; pixels from outside repeat the border."""
    height, width = crop.shape[:2]
    signed = 2 * numbers[:4] - 1
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, settings.warp_angle * signed[0], 1 + settings.warp_scale * signed[1])
    matrix[:, 2] += settings.warp_shift * signed[2:]
    return np.asarray(
        cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _perspective(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """Shrink one side and widen the opposite one, as if the head turned or nodded, and jitter each corner; pixels from
    outside repeat the border."""
    height, width = crop.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    turn, nod = settings.perspective_share * (2 * numbers[:2] - 1)
    from_centre = corners / (width - 1, height - 1) - 0.5
    growth = 1 + 2 * (turn * from_centre[:, :1] + nod * from_centre[:, 1:])
    jitter = settings.perspective_share / 4 * (2 * numbers[2:8] - 1)
    moved = from_centre * growth + np.stack([jitter[[0, 1, 2, 3]], jitter[[4, 5, 4, 5]]], axis=1) + 0.5
    matrix = cv2.getPerspectiveTransform(corners, (moved * (width - 1, height - 1)).astype(np.float32))
    return np.asarray(
        cv2.warpPerspective(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _cut_region(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    height, width = crop.shape[:2]
    share = settings.crop_smallest + (1 - settings.crop_smallest) * numbers[0]
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = int(numbers[1] * (height - tall + 1)), int(numbers[2] * (width - wide + 1))
    region = np.ascontiguousarray(crop[top : top + tall, left : left + wide])
    return np.asarray(cv2.resize(region, (width, height), interpolation=cv2.INTER_LINEAR))


def _colour(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    brightness, contrast, saturation = 1 + settings.colour_range * (2 * numbers[:3] - 1)
    # All three changes are affine, so one matrix per pixel does: x → b·x, then mean + c·(x − mean), then
    # grey + s·(x − grey), where the second shifts the grey along with the pixel.
    mixed = saturation * np.eye(3) + (1 - saturation) * np.array([0.299, 0.587, 0.114])
    shift = np.full((3, 1), (1 - contrast) * brightness * float(np.mean(cv2.mean(crop)[:3])))
    return np.asarray(cv2.transform(crop, np.hstack([brightness * contrast * mixed, shift])))


def _dark(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """Underexposure: grey levels are lost, which brightening cannot restore."""
    factor = settings.dark_lowest + (1 - settings.dark_lowest) * numbers[0]
    return np.rint(crop * factor).astype(np.uint8)


def _grey(crop: np.ndarray, _: np.ndarray, __: Augment) -> np.ndarray:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _blur(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    sigma = 0.3 + (settings.blur_sigma - 0.3) * float(numbers[0])
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma))


def _noise(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=int(numbers[1] * 2**53)))
    noisy = crop + settings.noise_sigma * numbers[0] * generator.standard_normal(crop.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


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
    # OpenCV expects BGR, and JPEG subsamples chroma, so channel order matters.
    bgr = np.ascontiguousarray(crop[:, :, ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[:, :, ::-1]


def _occlude(crop: np.ndarray, numbers: np.ndarray, _: Augment) -> np.ndarray:
    """Sunglasses (two ellipses and a bridge) or a mask (the lower half of an ellipse), each of one colour.

    The positions are those of an aligned face: eyes at 46 %, mouth at 82 % of the height (insightface's template).
    """
    height, width = crop.shape[:2]
    covered = crop.copy(order="C")
    scale = 0.8 + 0.4 * numbers[1]
    if numbers[0] < 0.5:
        colour = (40 * numbers[2:5]).tolist()
        size = (max(1, round(0.13 * scale * width)), max(1, round(0.09 * scale * height)))
        left, right = ((round(x * (width - 1)), round(0.46 * (height - 1))) for x in (0.34, 0.66))
        for centre in (left, right):
            cv2.ellipse(covered, centre, size, 0, 0, 360, colour, -1)
        cv2.line(covered, left, right, colour, max(1, round(0.02 * height)))
    else:
        colour = (255 * numbers[2:5]).tolist()
        size = (max(1, round(0.3 * scale * width)), max(1, round(0.34 * height)))
        top = round((0.6 + 0.1 * numbers[5]) * (height - 1))
        cv2.ellipse(covered, (round(0.5 * (width - 1)), top), size, 0, 0, 180, colour, -1)
    return covered


def _erase(crop: np.ndarray, numbers: np.ndarray, settings: Augment) -> np.ndarray:
    """A rectangle in the crop's mean colour, like a hand or an object in front of the face."""
    height, width = crop.shape[:2]
    tall = max(1, round(height * settings.erase_largest * numbers[0]))
    wide = max(1, round(width * settings.erase_largest * numbers[1]))
    top, left = int(numbers[2] * (height - tall + 1)), int(numbers[3] * (width - wide + 1))
    erased = crop.copy(order="C")
    erased[top : top + tall, left : left + wide] = np.rint(cv2.mean(erased)[:3])
    return erased
