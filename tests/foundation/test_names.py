"""Names in any form of Unicode are one name."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from facepipe.files import match_names, same_name

COMPOSED, DECOMPOSED = "Zo\u00eb", "Zoe\u0308"


def test_forms_of_one_name():
    assert same_name(COMPOSED, DECOMPOSED) and not same_name(COMPOSED, "Zoe")


def test_matching_tells_what_it_did():
    matches = match_names([COMPOSED, "Tony", "Nobody"], [DECOMPOSED, "Tony", "Colin", DECOMPOSED])
    assert matches.found == {COMPOSED: (DECOMPOSED,), "Tony": ("Tony",)}
    assert matches.unmatched == ("Nobody",)
    assert matches.other_form == (COMPOSED,)
    assert matches.names == {DECOMPOSED, "Tony"}


def test_both_forms_at_once_are_both_found():
    matches = match_names([COMPOSED], [DECOMPOSED, COMPOSED])
    assert matches.names == {COMPOSED, DECOMPOSED} and matches.other_form == ()


@given(st.lists(st.text(max_size=4), max_size=6))
def test_every_name_finds_itself_in_every_form(names):
    there = [unicodedata.normalize("NFD", name) for name in names]
    assert match_names(names, there).unmatched == ()
