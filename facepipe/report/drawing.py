"""Drawing faces on images."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facepipe.detection import Faces

Rectangle = tuple[float, ...]
"""Left, top, right, bottom in pixels."""

_LINES, _DOTS, _SMALLEST = 100, 60, 9.0
"""Face height divided by line width and by dot radius; smallest font size."""

CHOSEN, OTHER, POINT = (46, 204, 113), (160, 160, 160), (255, 209, 0)


def draw_faces(image: np.ndarray, faces: Faces, chosen: Sequence[int] | np.ndarray = ()) -> np.ndarray:
    """A copy of the image with a box, landmarks and the detector's score per face; chosen ones green, others grey.

    Lines, dots and text scale with the face, so that small faces in a crowd stay visible. Text is placed where it hides
    no other face or text, and of its own face only the edge; where there is no such place it is omitted, for the
    smallest faces first.

    Args:
        image: uint8 H×W×3 RGB.
        faces: of this image.
        chosen: indices into ``faces``.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    boxes = [tuple(map(float, box)) for box in faces.boxes]
    order = sorted(range(len(faces)), key=lambda index: -_tall(boxes[index]))
    for index in order:
        _outline(pen, boxes[index], faces.landmarks[index], CHOSEN if index in chosen else OTHER)
    taken: list[Rectangle] = []
    for index in order:
        others = [box for other, box in enumerate(boxes) if other != index]
        text = f"detection {faces.scores[index]:.3f}"
        found = _figure(pen, boxes[index], text, picture.size, [*others, *taken])
        if found is not None:
            place, font = found
            pen.text(place, text, fill=CHOSEN if index in chosen else OTHER, font=font)
            taken.append(pen.textbbox(place, text, font=font))
    return np.asarray(picture)


def _tall(box: Rectangle) -> float:
    return max(1.0, box[3] - box[1])


def _outline(pen: ImageDraw.ImageDraw, box: Rectangle, landmarks: np.ndarray, colour: tuple[int, int, int]) -> None:
    pen.rectangle(box, outline=colour, width=max(1, round(_tall(box) / _LINES)))
    radius = int(_tall(box) / _DOTS)
    for x, y in np.rint(landmarks).astype(int).tolist():
        # A rectangle of zero size is a pixel; an ellipse of zero size is nothing.
        draw = pen.ellipse if radius else pen.rectangle
        draw((x - radius, y - radius, x + radius, y + radius), fill=POINT)


def _figure(
    pen: ImageDraw.ImageDraw, box: Rectangle, text: str, picture: tuple[int, int], taken: Sequence[Rectangle]
) -> tuple[tuple[float, float], ImageFont.FreeTypeFont | ImageFont.ImageFont] | None:
    """Position and font for a text; None if it would hide something."""
    font = ImageFont.load_default(size=max(_SMALLEST, min(_tall(box) / 8, picture[0] / 20)))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    inside = [(box[0] + 2, box[3] - bottom - 2)] if bottom < _tall(box) / 6 and right < box[2] - box[0] else []
    for x, y in ((box[0], box[3] + 1 - top / 2), (box[0], box[1] - bottom - 1), *inside):
        place = (x + left, y + top, x + right, y + bottom)
        if _within(place, picture) and not any(_meet(place, other) for other in taken):
            return (x, y), font
    return None


def _within(place: Rectangle, picture: tuple[int, int]) -> bool:
    return place[0] >= 0 and place[1] >= 0 and place[2] <= picture[0] and place[3] <= picture[1]


def _meet(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def side_by_side(images: Sequence[np.ndarray], caption: str = "", height: int = 400) -> np.ndarray:
    """Images scaled to one height in a row, above a line of text; uint8 RGB."""
    scaled = [_to_height(image, height) for image in images]
    gap = height // 40
    strip = height // 9 if caption else 0
    width = sum(picture.width for picture in scaled) + gap * (len(scaled) + 1)
    sheet = Image.new("RGB", (width, height + 2 * gap + strip), (24, 24, 28))
    x = gap
    for picture in scaled:
        sheet.paste(picture, (x, gap))
        x += picture.width + gap
    if caption:
        font = ImageFont.load_default(size=_font_size(caption, width - 2 * gap, strip * 0.62))
        pen = ImageDraw.Draw(sheet)
        pen.text((gap, height + gap + strip / 2 + gap / 2), caption, fill=(240, 240, 240), font=font, anchor="lm")
    return np.asarray(sheet)


def _font_size(text: str, room: float, largest: float) -> float:
    length = ImageFont.load_default(size=largest).getlength(text)
    return max(8.0, min(largest, largest * room / length))


def _to_height(image: np.ndarray, height: int) -> Image.Image:
    picture = Image.fromarray(image)
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS)
