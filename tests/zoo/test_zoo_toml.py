"""The TOML writer against the standard library's reader."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.zoo.toml import dumps

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = st.one_of(
    text, st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.lists(text, max_size=3)
)
tables = st.recursive(
    st.dictionaries(text, scalars, max_size=4),
    lambda inner: st.dictionaries(
        text, st.one_of(scalars, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4
    ),
    max_leaves=8,
)


@given(tables)
def test_reader_gives_back_what_was_written(values):
    assert tomllib.loads(dumps(values)) == values


def test_layout():
    values = {"size": (112, 96), "input": {"mean": 0.0}, "name": "a", "none": None, "rows": [{"far": 1e-5}]}
    assert dumps(values) == (
        'size = [112, 96]\nname = "a"\n\n[input]\nmean = 0.0\n\n[[rows]]\nfar = 1e-05\n'
    )


def test_foreign_type():
    with pytest.raises(TypeError, match="TOML has no set"):
        dumps({"a": {1}})
