"""Drawing faces on images."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facepipe.detection import Faces

CHOSEN, OTHER, POINT = (46, 204, 113), (160, 160, 160), (255, 209, 0)


def draw_faces(image: np.ndarray, faces: Faces, chosen: Sequence[int] | np.ndarray = ()) -> np.ndarray:
    """A copy of the image with a box, the detector's score and landmarks per face; chosen ones green, others grey.

    Args:
        image: uint8 H×W×3 RGB.
        faces: of this image.
        chosen: indices into ``faces``.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 250))
    font = ImageFont.load_default(size=max(10, picture.size[0] / 30))
    for index in range(len(faces)):
        colour = CHOSEN if index in chosen else OTHER
        box = faces.boxes[index].tolist()
        pen.rectangle(box, outline=colour, width=width)
        pen.text((box[0] + width, box[3] + width), f"detection {faces.scores[index]:.3f}", fill=colour, font=font)
        for x, y in faces.landmarks[index]:
            pen.ellipse((x - width, y - width, x + width, y + width), fill=POINT)
    return np.asarray(picture)


def side_by_side(images: Sequence[np.ndarray], caption: str = "", height: int = 400) -> np.ndarray:
    """Images scaled to one height in a row, over a line of text; uint8 RGB."""
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
