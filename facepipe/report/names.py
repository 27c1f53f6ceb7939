"""Drawing faces with their names."""

import colorsys
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from facepipe.report.letters import lettered

STRANGER_COLOUR = (150, 150, 150)
_POINT = (255, 209, 0)
_Rectangle = tuple[float, ...]


@dataclass(frozen=True)
class NamedBox:
    """The annotation of a face.

    Attributes:
        box: 4 numbers, (left, top, right, bottom) in pixels.
        landmarks: float K×2, 0-based pixels.
        name: name of the person, or None if unknown.
        title: line next to the box, such as name and score.
        detail: smaller second line, or empty.
    """

    box: Sequence[float] | np.ndarray
    landmarks: np.ndarray
    name: str | None
    title: str
    detail: str = ""


def colour_of(name: str | None) -> tuple[int, int, int]:
    """A person's colour, the same in every picture on every machine; grey for unknown people."""
    if name is None:
        return STRANGER_COLOUR
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    hue, tone = int.from_bytes(digest[:2], "big") / 65536, digest[2] / 255
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.62 + 0.3 * tone, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_names(image: np.ndarray, faces: Sequence[NamedBox]) -> np.ndarray:
    """A copy of the image with a box, landmarks and a caption per face.

    A caption is placed above, below or inside its box, wherever it hides least of other faces and captions. It never
    extends beyond the picture.

    Args:
        image: uint8 H×W×3 RGB.
        faces: in any order.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for face in faces:
        _outline(pen, face, max(picture.size))
    taken: list[_Rectangle] = []
    for face in sorted(faces, key=lambda face: -_height(face)):
        others = [tuple(map(float, other.box)) for other in faces if other is not face]
        taken.append(_caption(pen, face, picture.size, [*others, *taken]))
    return np.asarray(picture)


def _height(face: NamedBox) -> float:
    return float(face.box[3] - face.box[1])


def _outline(pen: ImageDraw.ImageDraw, face: NamedBox, side: int) -> None:
    left, top, right, bottom = (float(value) for value in face.box)
    if right > left and bottom > top:
        pen.rectangle((left, top, right, bottom), outline=colour_of(face.name), width=max(1, round(side / 400)))
    radius = max(1.0, _height(face) / 60)
    for x, y in face.landmarks:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_POINT)


def _caption(
    pen: ImageDraw.ImageDraw, face: NamedBox, size: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle:
    """Draw the caption and return its rectangle."""
    large = max(11.0, min(size[0] / 32, _height(face) * 0.18))
    sizes = zip((face.title, face.detail), (large, max(9.0, large * 0.7)), strict=True)
    lines = [lettered(text, size) for text, size in sizes if text]
    extents = [pen.textbbox((0, 0), text, font=font) for text, font in lines]
    wide, high = max((box[2] for box in extents), default=0) + 4, sum(box[3] for box in extents) + 4
    place = _place(face.box, wide, high, size, taken)
    colour = colour_of(face.name)
    pen.rectangle(place, fill=colour)
    ink = (0, 0, 0) if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 110 else (255, 255, 255)
    y = place[1] + 1
    for (text, font), extent in zip(lines, extents, strict=True):
        pen.text((place[0] + 2, y), text, fill=ink, font=font)
        y += extent[3]
    return place


def _place(
    box: Sequence[float] | np.ndarray, wide: float, high: float, size: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle:
    """The first of the candidate places that hides least."""
    left, top, right, bottom = (float(value) for value in box)
    corners = [(left, top - high), (left, bottom), (right - wide, top - high), (right - wide, bottom)]
    corners += [(right, top), (left - wide, top), (left, bottom - high)]
    places = []
    for x, y in corners:
        x, y = max(0.0, min(x, size[0] - wide)), max(0.0, min(y, size[1] - high))
        places.append((x, y, x + wide, y + high))
    face = (left, top, right, bottom)
    return min(places, key=lambda place: sum(_shared(place, other) for other in [face, *taken]))


def _shared(a: _Rectangle, b: _Rectangle) -> float:
    """Area that two rectangles share, in whole pixels."""
    return round(max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1])))
