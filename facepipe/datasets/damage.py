"""The damage protocol ``standard``: one deterministic degradation per face crop, from slight to severe.

Kind and level are functions of the image's name and a seed, so results are reproducible. Crops are degraded after
alignment: the detector sees the clean photo, so clean and damaged faces are aligned identically, and existing crops
can be used.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facepipe.errors import DatasetError
from facepipe.images import encode_rgb

DAMAGES = ("standard",)
LEVELS = 5
_HEIGHT = 112
"""Pixel sizes below refer to a crop of this height."""

_BLUR_SIGMA = (1.0, 1.8, 2.8, 4.2, 6.0)  # pixels, Gaussian
_DARKEN = (0.5, 0.3, 0.18, 0.1, 0.05)  # factor of the pixel values, which are rounded
_OCCLUDE = (0.12, 0.22, 0.34, 0.46, 0.6)  # share of the crop covered by one black rectangle
_SHRINK = (40, 28, 20, 14, 10)  # reduced height in pixels
_NOISE_SIGMA = (10.0, 20.0, 35.0, 55.0, 80.0)  # of 255, Gaussian, per value
_JPEG_QUALITY = (25, 14, 8, 4, 1)


@dataclass(frozen=True)
class Damage:
    """A degradation: its kind, its level from 1 (slight) to 5 (severe), and the seed of its randomness."""

    kind: str
    level: int
    seed: int


def damage_of(name: str, seed: int = 0, protocol: str = "standard") -> Damage:
    """The degradation of image ``name``, a path without extension such as ``Ann_Lee/Ann_Lee_0001``.

    All kinds and all levels are equally likely.

    Raises:
        DatasetError: the protocol is unknown.
    """
    if protocol not in DAMAGES:
        raise DatasetError(f"damage protocol {protocol!r} is unknown; choose one of {', '.join(DAMAGES)}")
    digest = hashlib.sha256(f"{protocol}\n{seed}\n{name}".encode("utf-8", "surrogateescape")).digest()
    kind = DAMAGE_KINDS[int.from_bytes(digest[:4], "big") % len(DAMAGE_KINDS)]
    level = 1 + int.from_bytes(digest[4:8], "big") % LEVELS
    return Damage(kind, level, int.from_bytes(digest[8:16], "big"))


def apply(crop: np.ndarray, damage: Damage) -> np.ndarray:
    """Degrade a crop.

    Args:
        crop: uint8 h×w×3 RGB.
        damage: from `damage_of`.

    Returns:
        uint8 h×w×3, a new array.
    """
    rng = np.random.Generator(np.random.Philox(key=damage.seed))
    return _KINDS[damage.kind](crop, damage.level - 1, rng)


def _blur(crop: np.ndarray, step: int, _: np.random.Generator) -> np.ndarray:
    sigma = _BLUR_SIGMA[step] * crop.shape[0] / _HEIGHT
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _darken(crop: np.ndarray, step: int, _: np.random.Generator) -> np.ndarray:
    return np.rint(crop * _DARKEN[step]).astype(np.uint8)


def _occlude(crop: np.ndarray, step: int, rng: np.random.Generator) -> np.ndarray:
    height, width = crop.shape[:2]
    side = _OCCLUDE[step] ** 0.5
    tall, wide = round(side * height), round(side * width)
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    covered = crop.copy()
    covered[top : top + tall, left : left + wide] = 0
    return covered


def _shrink(crop: np.ndarray, step: int, _: np.random.Generator) -> np.ndarray:
    height, width = crop.shape[:2]
    tall = min(_SHRINK[step], height)
    small = cv2.resize(crop, (max(1, round(width * tall / height)), tall), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _noise(crop: np.ndarray, step: int, rng: np.random.Generator) -> np.ndarray:
    noisy = crop + rng.normal(0, _NOISE_SIGMA[step], crop.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _jpeg(crop: np.ndarray, step: int, _: np.random.Generator) -> np.ndarray:
    data = encode_rgb(crop, ".jpg", _JPEG_QUALITY[step])
    bgr = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return np.ascontiguousarray(bgr[:, :, ::-1])


_KINDS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "darken": _darken,
    "occlude": _occlude,
    "shrink": _shrink,
    "noise": _noise,
    "jpeg": _jpeg,
}
DAMAGE_KINDS = tuple(_KINDS)
