"""The image pyramid that P-Net searches, and its windows in the image."""

from dataclasses import dataclass
from typing import Any

from facepipe.detection.settings import DetectorSettings

WINDOW, STRIDE = 12, 2
"""P-Net's window and its stride, in pixels of a level."""


@dataclass(frozen=True)
class Level:
    """One reduced image.

    Attributes:
        scale: pixels of the level per pixel of the image.
        height, width: pixels.
    """

    scale: float
    height: int
    width: int

    def corners(self, place: Any) -> tuple[Any, Any]:
        """First and last pixel (x, y) of P-Net's windows in the image, counted from 1, before rounding down.

        Args:
            place: float32 N×2, columns and rows in P-Net's output.
        """
        first = place * STRIDE
        return (first + 1) / self.scale, (first + WINDOW) / self.scale


def pyramid(size: tuple[int, int], settings: DetectorSettings) -> list[Level]:
    """The levels of an image of this (height, width), largest first."""
    scale = WINDOW / settings.min_face
    levels = []
    while min(size) * scale >= WINDOW:
        levels.append(Level(scale, int(size[0] * scale + 1), int(size[1] * scale + 1)))
        scale *= settings.factor
    return levels
