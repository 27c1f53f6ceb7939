"""A sheet of faces in strips, each strip sorted by the model's uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from facepipe.report.letters import lettered

_GAP, _TITLE, _CAPTION = 4, 22, 16
_PAPER, _INK = (255, 255, 255), (20, 20, 20)


@dataclass(frozen=True)
class Strip:
    """One row of the sheet: a title, crops uint8 h×w×3 of one size, and a line of text under each."""

    title: str
    crops: Sequence[np.ndarray]
    captions: Sequence[str]


def evenly_by_rank(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of up to ``count`` values at evenly spaced ranks, lowest first, int64."""
    order = np.argsort(values, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64))]


def in_rows(title: str, crops: Sequence[np.ndarray], captions: Sequence[str], per_row: int) -> list[Strip]:
    """Strips of up to ``per_row`` crops, the first with the title."""
    return [
        Strip("" if first else title, crops[first : first + per_row], captions[first : first + per_row])
        for first in range(0, len(crops), per_row)
    ]


def contact_sheet(crops: Sequence[np.ndarray], values: Sequence[float], name: str, per_row: int = 12) -> np.ndarray:
    """One picture, uint8 RGB.

    Args:
        crops: uint8 h×w×3 of one size, in display order.
        values: shown below each.
        name: of the values.
        per_row: faces in a row.
    """
    strips = []
    for first in range(0, len(crops), per_row):
        part = slice(first, first + per_row)
        title = f"by {name}, least confident first" if first == 0 else ""
        strips.append(Strip(title, crops[part], [f"{value:.3g}" for value in values[part]]))
    return draw_sheet(strips)


def draw_sheet(strips: Sequence[Strip]) -> np.ndarray:
    """The strips below each other, uint8 RGB; strips without crops are left out."""
    strips = [strip for strip in strips if len(strip.crops)]
    if not strips:
        return np.full((1, 1, 3), 255, np.uint8)
    heights = [_TITLE + strip.crops[0].shape[0] + _CAPTION + _GAP for strip in strips]
    widths = [_GAP + len(strip.crops) * (strip.crops[0].shape[1] + _GAP) for strip in strips]
    sheet = Image.new("RGB", (max(widths), sum(heights) + _GAP), _PAPER)
    top = _GAP
    for strip, height in zip(strips, heights, strict=True):
        _draw_strip(sheet, strip, top)
        top += height
    return np.asarray(sheet)


def _draw_strip(sheet: Image.Image, strip: Strip, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    title, large = lettered(strip.title, 14)
    pen.text((_GAP, top + 2), title, fill=_INK, font=large)
    for number, (crop, caption) in enumerate(zip(strip.crops, strip.captions, strict=True)):
        height, width = crop.shape[:2]
        left = _GAP + number * (width + _GAP)
        sheet.paste(Image.fromarray(crop), (left, top + _TITLE))
        text, small = lettered(caption, 11)
        pen.text((left + width / 2, top + _TITLE + height + 2), text, fill=_INK, font=small, anchor="mt")
