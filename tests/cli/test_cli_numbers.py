"""Numbers that are none, or out of their range, are refused before anything is done."""

import pytest
from cli_run import run

CASES = [
    ["compare", "a.jpg", "b.jpg", "--threshold", "nan"],
    ["compare", "a.jpg", "b.jpg", "--far", "0"],
    ["compare", "a.jpg", "b.jpg", "--far", "nan"],
    ["cluster", "s.parquet", "--threshold", "1.1"],
    ["cluster", "s.parquet", "--threshold", "nan"],
    ["identify", "a.jpg", "g.parquet", "--threshold", "inf"],
    ["identify", "a.mp4", "g.parquet", "--seconds", "-1"],
    ["identify", "a.mp4", "g.parquet", "--every", "0"],
    ["detect", "a.jpg", "--min-face", "nan"],
    ["detect", "a.jpg", "--max-pixels", "0"],
]


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_refused(words):
    ended = run(*words)
    assert ended.code == 2 and f"Invalid value for '{words[-2]}'" in ended.err and ended.out == ""


def test_help_tells_no_range_where_there_is_none():
    assert "None" not in run("identify", "--help").out and "0<x<1" in run("eval", "lfw", "--help").out
