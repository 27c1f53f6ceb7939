"""Named boxes: colours and captions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.report.names import STRANGER_COLOUR, NamedBox, colour_of, draw_names

BLANK = np.full((200, 300, 3), 40, np.uint8)


def named(box, name="ada"):
    return NamedBox(box, np.zeros((0, 2)), name, name or "unknown")


def is_colour(image, name):
    return (np.abs(image.astype(int) - colour_of(name)) < 3).all(2)


def test_colours_belong_to_names():
    assert colour_of("ada") == colour_of("ada") != colour_of("bo")
    assert colour_of(None) == STRANGER_COLOUR
    assert len({colour_of(f"person {number}") for number in range(100)}) > 90
    assert min(max(colour_of(name)) for name in "abcdef") > 200, "bright enough to be seen"


def test_box_caption_and_landmarks():
    face = NamedBox((100, 80, 150, 140), np.array([[110.0, 100.0]]), "ada", "ada 0.62", "norm 12")
    drawn = draw_names(BLANK, [face])
    mask = is_colour(drawn, "ada")
    assert mask[80, 100:150].all() and mask[80:140, 100].all(), "the box"
    assert mask[60:78, 102:150].mean() > 0.5, "the caption above it"
    assert tuple(drawn[100, 110]) == (255, 209, 0)
    assert (drawn[145:, :] == 40).all() and (BLANK == 40).all()


def test_captions_do_not_hide_other_faces():
    upper, lower = named((100, 20, 150, 80)), named((100, 90, 150, 150), "bo")
    drawn = draw_names(BLANK, [upper, lower])
    assert not is_colour(drawn, "bo")[21:79, 101:149].any()
    assert not is_colour(drawn, "ada")[91:149, 101:149].any()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-90, 330), st.integers(-90, 220), st.integers(0, 250), st.integers(0, 250)), max_size=4
    )
)
def test_any_box_can_be_drawn(places):
    """Boxes beyond the picture, without area, or larger than it."""
    faces = [named((left, top, left + wide, top + high), None) for left, top, wide, high in places]
    drawn = draw_names(BLANK, faces)
    assert drawn.shape == BLANK.shape and drawn.dtype == np.uint8
    assert bool(faces) == bool((drawn != 40).any())
