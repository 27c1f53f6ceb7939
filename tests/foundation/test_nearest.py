"""What a person probably meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe import losses
from facepipe.errors import ModelError
from facepipe.nearest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("nam", ["m", "s", "name"], "name"),
        ("spherface20", ["sphereface4", "sphereface20", "iresnet20"], "sphereface20"),
        ("cosine-x", ["x-cosine", "cosine"], "cosine"),
        ("stem", ["item", "step"], "step"),  # difflib alone finds both as like
        ("RED", ["red", "bed"], "red"),
        ("zzz", ["red"], None),
        ("red", [], None),
    ],
)
def test_nearest(word, known, expected):
    assert nearest(word, known) == expected
    assert nearest(word, list(reversed(known))) == expected


@given(st.lists(st.text(min_size=1), min_size=1, unique_by=str.lower), st.data())
def test_a_known_name_is_its_own_nearest(known, data):
    word = data.draw(st.sampled_from(known))
    assert nearest(word, known).lower() == word.lower()


def test_what_is_said():
    assert did_you_mean("rde", ["red", "blue"]) == "did you mean 'red'?"
    assert did_you_mean("q", ["red", "blue"]) == "choose one of red, blue"
    assert did_you_mean("q", ["red", "blue"], "there are") == "there are red, blue"


def test_an_option_may_be_the_name_itself():
    with pytest.raises(ModelError, match="loss arcface has no option 'nam'; did you mean 'name'"):
        losses.create("arcface", 4, 3, nam="cosface")
