"""Every letter of a name is drawn as something else than the box for a missing one."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from facepipe.report import letters
from facepipe.report.letters import lettered
from facepipe.report.names import NamedBox, draw_names


@pytest.fixture
def bare(monkeypatch):
    """A system without fonts."""
    monkeypatch.setattr(letters, "_OTHERS", ())


def drawn(text, font):
    picture = Image.new("L", (300, 40))
    ImageDraw.Draw(picture).text((2, 2), text, fill=255, font=font)
    return np.asarray(picture)


def test_plain_names_have_pillows_own_font():
    text, font = lettered("Ada 0.62", 20)
    assert text == "Ada 0.62" and (drawn(text, font) == drawn(text, ImageFont.load_default(size=20))).all()


@pytest.mark.parametrize(("name", "plain"), [("Zoë Nuñez", "Zoe Nunez"), ("Řehoř", "Rehor"), ("李 a", "? a")])
def test_a_system_without_fonts(bare, name, plain):
    assert lettered(name, 12)[0] == plain


@pytest.mark.parametrize("name", ["Zoë", "Łukasz", "Жанна", "李雷", "😀"])
def test_no_empty_boxes(name):
    text, font = lettered(name, 20)
    missing = drawn("\uffff", font)
    assert not any((drawn(letter, font) == missing).all() for letter in text)


def test_captions_are_lettered(bare):
    blank = np.zeros((200, 300, 3), np.uint8)
    faces = [NamedBox((100, 80, 150, 140), np.zeros((0, 2)), "x", title) for title in ("Zoë", "Zoe", "Zoö")]
    pictures = [draw_names(blank, [face]) for face in faces]
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()


def test_a_name_draws_what_a_table_shows():
    assert lettered("a\x1b[31m\u202eb", 12)[0] == "a\\x1b[31m\\u202eb"
