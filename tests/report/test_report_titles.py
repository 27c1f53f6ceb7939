"""Titles of plots hold names of files: they are shown as they are, whatever is in them."""

import pytest

from facepipe.report.figure_file import entitle


def test_a_title_is_no_formula_and_does_nothing(tmp_path):
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure()
    axes = figure.subplots()
    entitle(axes, "pairs $\\nothing{$ of \u202e\x1b[2J")
    figure.savefig(tmp_path / "a.png")  # an error of mathtext, if it were a formula
    assert axes.get_title() == "pairs $\\nothing{$ of \\u202e\\x1b[2J"
