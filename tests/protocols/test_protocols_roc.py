"""Points of the ROC curve against slow, obvious code, scikit-learn and SciPy, on scores with many ties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import brentq
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from facepipe.errors import FacepipeError
from facepipe.protocols.roc import FARS, area_under_curve, clopper_pearson, equal_error_rate, tar_at_far

DTYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def scores(draw, most=60):
    """Genuine and impostor scores of few distinct values, in either precision."""
    kinds = draw(st.integers(1, 12))
    count = st.integers(1, most)

    def side(offset):
        whole = draw(arrays.arrays(np.int64, draw(count), elements=st.integers(0, kinds)))
        return (whole + offset).astype(draw(DTYPES)) / draw(DTYPES)(7)

    return side(draw(st.integers(0, 3))), side(0)


def slow_passing(impostor, far):
    """How many impostors the lowest permitted threshold lets through: all conceivable ones tried in turn."""
    for threshold in [*sorted(set(impostor)), math.inf]:
        passing = sum(score >= threshold for score in impostor)
        if passing <= far * len(impostor) + 1e-9:
            return passing
    raise AssertionError


@settings(deadline=None, max_examples=200)
@given(scores(), st.sampled_from([0.5, 0.25, 0.1, 0.05, 1 / 3]))
def test_tar_at_far_is_that_of_the_obvious_loop(case, far):
    (point,) = tar_at_far(*case, [far])
    genuine, impostor = (side.astype(float).tolist() for side in case)
    if len(impostor) * far < 1 - 1e-9 or len({*genuine, *impostor}) == 1:
        assert (point.tar, point.threshold, point.low, point.high) == (None,) * 4 and point.reason
        return
    passing = slow_passing(impostor, far)
    assert sum(score >= point.threshold for score in impostor) == passing
    assert point.tar == sum(score >= point.threshold for score in genuine) / len(genuine)
    assert point.reached == passing / len(impostor) <= far + 1e-9
    # The threshold is the lowest impostor score that may pass, or just above those that may not.
    step = np.nextafter(np.result_type(*case).type(point.threshold), -np.inf)
    assert point.threshold in impostor or float(step) in impostor


@settings(deadline=None, max_examples=100)
@given(scores())
def test_tar_lies_on_the_curve_of_scikit_learn(case):
    genuine, impostor = case
    labels = np.repeat([1, 0], [len(genuine), len(impostor)])
    fpr, tpr, _ = roc_curve(labels, np.concatenate(case).astype(np.float64), drop_intermediate=False)
    for far in (0.5, 0.2, 0.1):
        (point,) = tar_at_far(*case, [far])
        if point.tar is not None:
            reachable = fpr <= point.reached + 1e-12
            assert point.tar <= tpr[reachable].max() + 1e-12
            at = np.isclose(fpr, point.reached)
            assert at.any() and tpr[at].min() - 1e-12 <= point.tar


@settings(deadline=None, max_examples=150)
@given(scores())
def test_area_is_that_of_scikit_learn(case):
    genuine, impostor = case
    labels = np.repeat([1, 0], [len(genuine), len(impostor)])
    expected = roc_auc_score(labels, np.concatenate(case).astype(np.float64))
    assert area_under_curve(genuine, impostor) == pytest.approx(expected, abs=1e-12)
    wins = [(g > i) + (g == i) / 2 for g in genuine.astype(float) for i in impostor.astype(float)]
    assert area_under_curve(genuine, impostor) == pytest.approx(sum(wins) / len(wins), abs=1e-12)


@settings(deadline=None, max_examples=150)
@given(scores())
def test_equal_error_rate_is_where_the_curve_of_scikit_learn_crosses(case):
    genuine, impostor = case
    labels = np.repeat([1, 0], [len(genuine), len(impostor)])
    fpr, tpr, _ = roc_curve(labels, np.concatenate(case).astype(np.float64), drop_intermediate=False)
    gap = fpr - (1 - tpr)
    place = np.linspace(0, 1, len(fpr))
    root = brentq(lambda x: np.interp(x, place, gap), 0, 1, xtol=1e-14)
    rate = equal_error_rate(genuine, impostor)
    assert rate == pytest.approx(np.interp(root, place, fpr), abs=1e-9)
    assert 0 <= rate <= 1
    # Scores that are turned round are wrong where these are right.
    assert equal_error_rate(-genuine, -impostor) == pytest.approx(1 - rate, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_is_that_of_scipy(successes, trials, confidence):
    successes = min(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(confidence, "exact")
    assert clopper_pearson(successes, trials, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_interval_of_none_and_all():
    assert clopper_pearson(0, 10)[0] == 0 and clopper_pearson(10, 10)[1] == 1


def test_rates_that_the_impostors_cannot_tell():
    genuine, impostor = np.linspace(0.5, 1, 50), np.linspace(0, 0.6, 1000)
    points = tar_at_far(genuine, impostor, FARS)
    assert [point.tar is None for point in points] == [False, False, False, True, True, True]
    assert points[3].reason == "1,000 impostor pairs, fewer than 1/FAR"
    assert points[2].reached == 1e-3 and points[2].threshold == impostor[-1]


def test_one_class_and_constant_scores():
    some, none = np.array([0.1, 0.2, 0.3] * 10), np.zeros(0)
    assert tar_at_far(none, some, [0.1])[0].reason == "no genuine pairs"
    assert tar_at_far(some, none, [0.1])[0].reason == "0 impostor pairs, fewer than 1/FAR"
    assert tar_at_far(np.ones(5), np.ones(20), [0.1])[0].reason == "all scores are equal"
    assert equal_error_rate(none, some) is None and equal_error_rate(some, none) is None
    assert area_under_curve(none, some) is None and area_under_curve(some, none) is None
    assert area_under_curve(np.ones(3), np.ones(4)) == equal_error_rate(np.ones(3), np.ones(4)) == 0.5


def test_perfect_scores():
    assert equal_error_rate(np.array([2.0, 3]), np.array([0.0, 1])) == 0
    assert area_under_curve(np.array([2.0, 3]), np.array([0.0, 1])) == 1
    (point,) = tar_at_far(np.array([2.0, 3]), np.array([0.0, 1]), [0.5])
    assert (point.tar, point.reached, point.threshold, point.high) == (1, 0.5, 1, 1)


def test_a_tie_at_the_top_lets_nobody_through():
    """Ten impostors tie where one may pass: the threshold goes above them, and TAR counts who is above."""
    impostor = np.repeat([0.1, 0.8], [90, 10]).astype(np.float32)
    (point,) = tar_at_far(np.array([0.8, 0.9], np.float32), impostor, [0.01])
    assert (point.tar, point.reached) == (0.5, 0)
    assert np.float32(point.threshold) == np.nextafter(np.float32(0.8), np.float32(np.inf))


def test_numbers_that_are_none():
    with pytest.raises(FacepipeError, match="finite"):
        tar_at_far(np.array([0.1, np.nan]), np.zeros(20), [0.1])
    with pytest.raises(FacepipeError, match="finite"):
        equal_error_rate(np.zeros(20), np.array([0.1, np.nan]))
    with pytest.raises(FacepipeError, match="between 0 and 1, not 1"):
        tar_at_far(np.ones(3), np.zeros(20), [1.0])
