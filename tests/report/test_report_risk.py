"""The figures of risk-controlled recognition: curves and sheets of faces."""

import numpy as np
import pytest

from facepipe.errors import DatasetError, MissingExtraError
from facepipe.protocols.risk.error_reject import error_reject
from facepipe.report import figure_file, risk_curves
from facepipe.report.face_sheet import Strip, draw_sheet, evenly_by_rank


def curves():
    rng = np.random.default_rng(0)
    same, score = np.arange(400) % 2 == 0, rng.random(400)
    return {name: error_reject(score, same, rng.random(400), 0.1) for name in ("kappa", "random", "ideal")}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".svg", ".pdf"])
def test_equal_curves_give_equal_files(tmp_path, suffix):
    paths = [tmp_path / f"{number}{suffix}" for number in (1, 2)]
    for path in paths:
        risk_curves.plot_error_reject(path, curves(), "title")
    first, second = (path.read_bytes() for path in paths)
    assert first == second and len(first) > 5_000
    assert sorted(tmp_path.iterdir()) == paths


def test_what_a_plot_needs(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match=r"a\.bmp: cannot write a figure in this format"):
        figure_file.require_plot(tmp_path / "a.bmp")
    with pytest.raises(IsADirectoryError, match="name a file to write"):
        figure_file.require_plot(tmp_path)
    monkeypatch.setattr(figure_file, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"facepipe\[plot\]"):
        risk_curves.plot_error_reject(tmp_path / "a.png", curves())


def test_spread_over_ranks():
    values = np.array([5.0, 1, 4, 2, 3])
    assert evenly_by_rank(values, 3).tolist() == [1, 4, 0]
    assert evenly_by_rank(values, 9).tolist() == [1, 3, 4, 2, 0]
    assert evenly_by_rank(values[:0], 3).tolist() == []


def test_sheet():
    crops = [np.full((20, 30, 3), shade, np.uint8) for shade in (10, 90)]
    sheet = draw_sheet([Strip("clean", crops, ["a", "b"]), Strip("none", [], [])])
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 3 * 4 + 2 * 30
    for number, shade in enumerate((10, 90)):
        assert (sheet[26:46, 4 + 34 * number : 34 + 34 * number] == shade).all()
    assert draw_sheet([]).shape == (1, 1, 3)
