"""Boxes, dots and figures as large as each face asks for, and no figure over a face."""

import numpy as np
import pytest
from PIL import ImageDraw

from facepipe.detection import Faces
from facepipe.report.drawing import draw_faces

POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def faces_at(*boxes):
    corners = np.array(boxes, np.float32)
    sides = corners[:, 2:] - corners[:, :2]
    landmarks = corners[:, None, :2] + POINTS[None] * sides[:, None]
    return Faces(corners, np.linspace(0.999, 0.9, len(boxes), dtype=np.float32), landmarks.astype(np.float32))


def drawn_inside(size, box):
    """How many pixels inside a face are no longer what they were, without the outline."""
    left, top, right, bottom = box
    edge = 4 + (bottom - top) // 50
    picture = draw_faces(np.zeros((*size, 3), np.uint8), faces_at(box), [0])
    return np.count_nonzero(picture[top + edge : bottom - edge, left + edge : right - edge].any(2))


def test_what_is_drawn_grows_with_the_face():
    assert drawn_inside((3000, 3000), (900, 900, 924, 930)) == 5, "a dot a landmark, however large the photo is"
    large = drawn_inside((3000, 3000), (100, 100, 1300, 1600))
    assert 5 * 1000 < large < 5 * 3000 < 0.02 * 1200 * 1500


@pytest.fixture
def figures(monkeypatch):
    """Where figures stood."""
    places = []
    usual = ImageDraw.ImageDraw.text

    def text(pen, place, words, **more):
        places.append(pen.textbbox(place, words, font=more["font"]))
        return usual(pen, place, words, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return places


def apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_figures_of_a_crowd_hide_nobody(figures):
    """Rows of faces, close together, the lower the smaller."""
    boxes, top = [], 20
    for side in (120, 60, 40, 24, 24, 24):
        boxes += [(x, top, x + 3 * side // 4, top + side) for x in range(5, 900, side + 2)]
        top += side + 6
    draw_faces(np.zeros((top + 40, 1000, 3), np.uint8), faces_at(*boxes))
    assert len(boxes) / 20 < len(figures) < len(boxes) / 2
    for number, place in enumerate(figures):
        assert place[0] >= 0 and place[1] >= 0 and place[2] <= 1000 and place[3] <= top + 40
        assert all(apart(place, other) for other in [*boxes, *figures[:number]])


def test_a_face_that_fills_the_photo_has_its_figure_inside(figures):
    draw_faces(np.zeros((400, 300, 3), np.uint8), faces_at((0, 0, 299, 399)))
    assert len(figures) == 1 and figures[0][3] < 399 and figures[0][1] > 340
