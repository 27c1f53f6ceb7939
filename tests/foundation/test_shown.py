"""Text from outside: what is shown cannot move a cursor, forge a line or run backwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.shown import shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Zoë Ångström 顔 😀", "Zoë Ångström 顔 😀"),
        ("a\nfacepipe: done", "a\\nfacepipe: done"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("\x9b2J", "\\x9b2J"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\u2028b\u2066c", "a\\u2028b\\u2066c"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("tab\tdel\x7f", "tab\\tdel\\x7f"),
    ],
)
def test_escapes(name, expected):
    assert shown(name) == expected


def test_long_text_keeps_both_ends():
    text = shown("data:" + "A" * 20_000 + ".jpg", longest=60)
    assert len(text) == 60 and text.startswith("data:AAA") and text.endswith("A.jpg") and "…" in text


@given(st.text(), st.integers(10, 50))
def test_is_one_line_of_bounded_length_and_can_be_encoded(text, longest):
    result = shown(text, longest)
    assert len(result) <= longest
    assert result.encode() and len(result.splitlines()) <= 1 if result else True
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in result)
