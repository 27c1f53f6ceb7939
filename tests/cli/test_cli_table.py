"""Tables: nothing is cut, lesser columns go first, and what was left out is told."""

import pytest
from cli_run import on_terminal
from hypothesis import given
from hypothesis import strategies as st

from facepipe.cli.table import show_table
from facepipe.tables import Column, figures

COLUMNS = (Column("who"), Column("what it is", prose=True), Column("licence", lesser=1), Column("size", lesser=2))
ROWS = [("a/rather/long/path/of/a/photo.jpg", "some words that may be broken anywhere between", "MIT", "12 MB")]


def shown(width, columns=COLUMNS, rows=ROWS, **more):
    return on_terminal(lambda: show_table(columns, rows, **more), width)


def test_what_fits_is_one_line():
    assert shown(120).out.splitlines() == [
        "who                                what it is                                      licence  size",
        "a/rather/long/path/of/a/photo.jpg  some words that may be broken anywhere between  MIT      12 MB",
    ]


def test_words_are_broken_before_columns_go():
    assert shown(80).out.splitlines() == [
        "who                                what it is                     licence  size",
        "a/rather/long/path/of/a/photo.jpg  some words that may be broken  MIT      12 MB",
        "                                   anywhere between",
    ]


def test_columns_go_and_are_told():
    told = shown(62)
    assert told.out.splitlines()[0].split() == ["who", "what", "it", "is"]
    assert told.err == "not shown, as the screen is only 62 columns wide: licence, size; --json has everything\n"
    assert shown(70).err == "not shown, as the screen is only 70 columns wide: size; --json has everything\n"


def test_a_path_is_whole_on_the_narrowest_screen():
    assert ROWS[0][0] in shown(20).out


def test_in_a_pipe_it_is_as_wide_as_it_is():
    told = on_terminal(lambda: show_table(COLUMNS, [(*ROWS[0][:2], "MIT " * 90, "1")]), None)
    assert ("MIT " * 90).strip() in told.out and told.err == ""


def test_figures_end_at_the_right_and_sums_stand_below_a_rule():
    told = shown(80, figures("fold", "accuracy"), [(1, "99.5 %")], title="LFW [mum]", footer=[("mean", "9.5 %")])
    lines = ["LFW [mum]", "fold  accuracy", "   1    99.5 %", "──────────────", "mean     9.5 %"]
    assert told.out.splitlines() == lines


def test_markup_and_controls_are_shown_as_they_are():
    assert "Ann [mum] \\x1b[31m" in shown(80, (Column("who"),), [("Ann [mum] \x1b[31m",)]).out


@given(
    rows=st.lists(st.tuples(st.text("ab/é漢 ", max_size=30), st.text("ab 漢", max_size=60)), max_size=4),
    width=st.integers(10, 130),
)
@pytest.mark.filterwarnings("ignore")
def test_every_word_is_there_whatever_the_width(rows, width):
    told = shown(width, (Column("path"), Column("about", prose=True)), rows).out
    for path, about in rows:
        assert path.rstrip() in told
        assert all(word in told for word in about.split())
