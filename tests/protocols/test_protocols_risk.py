"""ProbFace's risk table and the error-against-reject curve, against slow longhand."""

import numpy as np
import pytest
import risk_longhand as longhand
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import DatasetError, FacepipeError
from facepipe.protocols.risk.error_reject import CURVE_SHARES, area, error_reject, ideal_uncertainty
from facepipe.protocols.risk.table import cuts, risk_table
from facepipe.score import threshold_at_far


def pairs(count=200, seed=0, repeated=False):
    """Scores, truth, and an uncertainty that knows something: errors tend to be uncertain."""
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.5
    same[:2] = True, False
    noise = rng.uniform(0.05, 0.8, count)
    score = np.where(same, 0.6, 0.1) + noise * rng.normal(size=count)
    if repeated:
        # Eighths, so that means which meet a score meet it to the last bit.
        score, noise = np.round(8 * score) / 8, np.round(8 * noise) / 8
    return score, same, noise


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(30, 80), folds=st.integers(2, 5), repeated=st.booleans())
def test_table_against_longhand(seed, count, folds, repeated):
    score, same, uncertainty = pairs(count, seed, repeated)
    shares = (0.0, 0.1, 0.25, 0.3)
    try:
        rows = risk_table(score, same, uncertainty, shares, folds)
    except DatasetError as error:
        assert "no genuine pair outside a fold" in str(error)
        return
    for row, share in zip(rows, shares, strict=True):
        lists = score.tolist(), same.tolist(), uncertainty.tolist()
        kept, accuracy, threshold = longhand.table_row(*lists, share, folds)
        assert (row.rejected, row.kept) == (share, kept)
        assert (row.accuracy, row.threshold) == pytest.approx((accuracy, threshold), abs=1e-12)


def test_form_of_the_published_sample():
    """CFP-FP's 7,000 pairs with distinct uncertainties: 7000, 6301, 5602 or 5603, 4901 … stay, and accuracy climbs."""
    score, same, uncertainty = pairs(7000)
    rows = risk_table(score, same, uncertainty)
    assert [row.rejected for row in rows] == [0.0, 0.1, 0.2, 0.3]
    # np.percentile: ⌊(1 − ρ)·6999⌋ + 1 pairs lie at or below it; the published 6301 has a tie, 6300 none.
    assert [row.kept for row in rows] == [7000, 6300, 5600, 4900]
    accuracies = [row.accuracy for row in rows]
    assert accuracies == sorted(accuracies) and accuracies[3] > accuracies[0] + 0.02
    assert all(0 < row.std_error < 0.02 for row in rows)
    assert [row.cut for row in rows] == sorted((row.cut for row in rows), reverse=True)


def test_ties_at_the_cut_stay():
    uncertainty = np.array([1.0, 2, 2, 2, 3, 3, 3, 3, 3, 9])
    assert cuts(uncertainty, [0.0, 0.1, 0.5]).tolist() == [9, 3, 3]
    score, same = np.linspace(0, 1, 10), np.arange(10) % 2 == 0
    assert [row.kept for row in risk_table(score, same, uncertainty, (0.0, 0.1, 0.5), 2)] == [10, 9, 9]


def test_folds_are_cut_anew_and_in_order():
    """Rejecting the first pairs moves those behind them into other folds."""
    score, same, _ = pairs(103)
    first = np.where(np.arange(103) < 20, 1.0, 0.0)
    rows = risk_table(score, same, first, (0.0, 0.3))
    alone = risk_table(score[20:], same[20:], np.zeros(83), (0.0,))
    assert rows[1].kept == 83 and rows[1].accuracy == alone[0].accuracy and rows[1].threshold == alone[0].threshold


def test_threshold_is_the_mean_of_the_best_genuine_scores():
    # Both folds alike: of 0.2, 0.6, 0.8 the last two judge all but one pair rightly.
    score, same = np.tile([0.1, 0.2, 0.5, 0.5, 0.6, 0.8], 2), np.tile([False, True, False, False, True, True], 2)
    row = risk_table(score, same, np.zeros(12), (0.0,), 2)[0]
    assert row.threshold == pytest.approx(0.6) and row.accuracy == pytest.approx(5 / 6)
    # The mean of equal scores is that score, though (0.1 + 0.1 + 0.1)/3 is rounded to more than 0.1.
    score, same = np.tile([0.1, 0.0], 4), np.tile([True, False], 4)
    assert risk_table(score, same, np.zeros(8), (0.0,), 4)[0].accuracy == 1
    # A tie with the threshold is accepted.
    score, same = np.tile([0.1, 0.5], 2), np.tile([False, True], 2)
    assert risk_table(score, same, np.zeros(4), (0.0,), 2)[0].accuracy == 1


@pytest.mark.parametrize(
    ("shares", "count", "message"),
    [
        ((1.0,), 50, "cannot reject a share of 1"),
        ((-0.1,), 50, "a share of -0.1"),
        ((0.0,), 0, "there are no pairs"),
        ((0.9,), 50, "only 5 pairs left for 10 folds with 0.9"),
    ],
)
def test_bad_input(shares, count, message):
    score, same, uncertainty = (part[:count] for part in pairs(50))
    with pytest.raises(DatasetError, match=message):
        risk_table(score, same, uncertainty, shares)


def test_no_genuine_pair_left():
    with pytest.raises(DatasetError, match="no genuine pair outside a fold"):
        risk_table(np.arange(20.0), np.arange(20) == 0, np.zeros(20), (0.0,))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(30, 120), repeated=st.booleans())
def test_curve_against_longhand(seed, count, repeated):
    score, same, uncertainty = pairs(count, seed, repeated)
    if (~same).sum() < 10:
        return
    shares = [number / 20 for number in range(20)]
    curve = error_reject(score, same, uncertainty, 0.1, shares)
    assert curve.threshold == threshold_at_far(score[~same], 0.1)
    points = longhand.fnmr_curve(score.tolist(), same.tolist(), uncertainty.tolist(), curve.threshold, shares)
    assert curve.kept == tuple(point[0] for point in points)
    assert curve.fnmr == pytest.approx([point[1] for point in points], abs=1e-12)
    assert curve.kept_fmr == pytest.approx([point[2] for point in points], abs=1e-12)
    assert curve.area == pytest.approx(longhand.trapezia(shares, curve.fnmr))
    assert curve.area_30 == pytest.approx(longhand.trapezia(shares[:7], curve.fnmr[:7]))


def test_a_perfect_confidence_is_the_ideal():
    score, same, _ = pairs(2000)
    ideal = error_reject(score, same, ideal_uncertainty(score, same, 0.01), 0.01)
    missed = same & (score < ideal.threshold)
    rng = np.random.default_rng(1)
    perfect = error_reject(score, same, missed + 0.5 * rng.random(2000), 0.01)
    assert perfect.fnmr == pytest.approx(ideal.fnmr) and perfect.area == pytest.approx(ideal.area)
    # E errors of G genuine pairs: after r rejections E − r of G − r, until none is left.
    errors, genuine = int(missed.sum()), int(same.sum())
    rejected = 2000 - np.array(ideal.kept)
    expected = np.maximum(errors - rejected, 0) / np.maximum(genuine - rejected, 1)
    np.testing.assert_allclose(ideal.fnmr, expected, atol=1e-12)


def test_a_random_confidence_changes_nothing_on_average():
    score, same, _ = pairs(4000)
    curves = [error_reject(score, same, np.random.default_rng(k).random(4000), 0.01) for k in range(30)]
    rate = curves[0].fnmr[0]
    assert np.mean([curve.area for curve in curves]) == pytest.approx(0.99 * rate, rel=0.02)
    assert np.mean([curve.area_30 for curve in curves]) == pytest.approx(0.3 * rate, rel=0.02)


def test_a_constant_confidence_rejects_nobody():
    score, same, _ = pairs()
    curve = error_reject(score, same, np.ones(200), 0.05)
    assert set(curve.kept) == {200} and set(curve.fnmr) == {curve.fnmr[0]}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_nothing_is_better_than_the_ideal(seed):
    score, same, uncertainty = pairs(150, seed)
    ideal = error_reject(score, same, ideal_uncertainty(score, same, 0.05), 0.05)
    got = error_reject(score, same, uncertainty, 0.05)
    assert all(a <= b + 1e-12 for a, b in zip(ideal.fnmr, got.fnmr, strict=True))
    # Any monotone change of the uncertainty leaves all as it is, up to pairs that the linear percentile shares out.
    assert error_reject(score, same, 3 * uncertainty + 1, 0.05).fnmr == got.fnmr


def test_where_no_genuine_pair_is_left_the_last_rate_goes_on():
    score, same = np.array([0.9, 0.1, 0.2, 0.3, 0.0]), np.array([True, True, False, False, False])
    curve = error_reject(score, same, np.array([4.0, 5, 1, 2, 3]), 0.4, [0.0, 0.2, 0.4, 0.6])
    assert curve.kept == (5, 4, 3, 2) and curve.fnmr == (0.5, 0.0, 0.0, 0.0)


def test_default_shares_and_area():
    assert len(CURVE_SHARES) == 100 and CURVE_SHARES[:2] == (0.0, 0.01) and CURVE_SHARES[-1] == 0.99
    assert area([0.0, 0.5, 1.0], [1.0, 0.5, 0.0], 1.0) == pytest.approx(0.5)
    assert area([0.0, 0.5, 1.0], [1.0, 0.5, 0.0], 0.5) == pytest.approx(0.375)


def test_errors_of_the_curve():
    score, same, uncertainty = pairs()
    with pytest.raises(FacepipeError, match="cannot be measured"):
        error_reject(score, same, uncertainty, 1e-3)
    with pytest.raises(DatasetError, match="no genuine pairs"):
        error_reject(score, np.zeros(200, bool), uncertainty, 0.1)
    with pytest.raises(DatasetError, match="ascend"):
        error_reject(score, same, uncertainty, 0.1, [0.0, 0.2, 0.1])
