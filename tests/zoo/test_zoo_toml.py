"""The TOML writer against the standard library's reader."""

import tomllib

import numpy as np
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


def test_what_is_none_is_left_out_at_every_depth():
    values = {"size": (112, 96), "input": {"mean": 0.0, "no": None}, "no": None, "rows": [{"far": 1e-5, "no": None}]}
    read = tomllib.loads(dumps(values))
    assert read == {"size": [112, 96], "input": {"mean": 0.0}, "rows": [{"far": 1e-5}]}
    assert type(read["input"]["mean"]) is float


@pytest.mark.parametrize(
    ("number", "plain"),
    [(np.float64(0.5), 0.5), (np.float32(0.25), 0.25), (np.int64(3), 3), (np.bool_(True), True), (np.array(2.0), 2.0)],
)
def test_numpy_numbers_are_plain_ones(number, plain):
    read = tomllib.loads(dumps({"a": number, "table": {"b": [number]}}))
    assert read == {"a": plain, "table": {"b": [plain]}}
    assert type(read["a"]) is type(plain)


@pytest.mark.parametrize("foreign", [{1}, np.zeros(2)], ids=["set", "array"])
def test_foreign_type(foreign):
    with pytest.raises(TypeError):
        dumps({"a": foreign})
