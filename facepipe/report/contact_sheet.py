"""Faces in rows, from those a model is least sure of to those it is surest of, as the papers show them."""

from collections.abc import Sequence

import numpy as np

from facepipe.report.face_sheet import Strip, draw_sheet


def contact_sheet(crops: Sequence[np.ndarray], values: Sequence[float], name: str, per_row: int = 12) -> np.ndarray:
    """One picture, uint8 RGB.

    Args:
        crops: uint8 h×w×3 of one size, in the order in which they are shown.
        values: written below each.
        name: of the values.
        per_row: faces in a row.
    """
    strips = []
    for first in range(0, len(crops), per_row):
        part = slice(first, first + per_row)
        title = f"by {name}, least sure first" if first == 0 else ""
        strips.append(Strip(title, crops[part], [f"{value:.3g}" for value in values[part]]))
    return draw_sheet(strips)
