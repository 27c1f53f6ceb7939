"""TAR at FAR from the highest scores alone, by rounding and at the nearest FPR, with many ties."""

import numpy as np
import pytest
import search_longhand as longhand
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import EmbeddingsError, FacepipeError
from facepipe.protocols.identification.top_scores import TopScores
from facepipe.protocols.roc import tar_at_far, tar_at_nearest_fpr, tar_at_rounded_far

RATES = [0.5, 0.2, 0.1, 0.03, 0.01, 0.001]


@st.composite
def scores(draw):
    """Genuine and impostor scores of few or of many different values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    genuine, impostor = draw(st.integers(1, 60)), draw(st.integers(1, 400))
    values, shift = draw(st.sampled_from([1, 2, 5, 30, 10_000])), draw(st.integers(0, 3))
    return rng.integers(0, values, genuine) / 8 + shift / 8, rng.integers(0, values, impostor) / 8


KINDS = st.sampled_from([np.float64, np.float32])


@settings(deadline=None, max_examples=150)
@given(scores(), st.sampled_from(RATES), st.integers(1, 50), st.integers(0, 30), KINDS)
def test_the_highest_scores_give_what_all_give(case, far, block, spare, kind):
    genuine, impostor = (part.astype(kind) for part in case)
    top = TopScores(int(far * len(impostor)) + 1 + spare)
    for first in range(0, len(impostor), block):
        top.add(impostor[first : first + block].reshape(1, -1))
    assert top.total == len(impostor)
    assert top.point(genuine, far) == tar_at_far(genuine, impostor, [far])[0]
    kept = min(top.total, max(2, int(far * len(impostor)) + 1 + spare))
    np.testing.assert_array_equal(top.highest, np.sort(impostor)[len(impostor) - kept :])


def test_no_figure_where_too_few_were_kept():
    top = TopScores(5)
    top.add(np.arange(100.0))
    assert top.point(np.array([99.0]), 0.05).reason == "only the 5 highest impostor scores were kept"
    assert top.point(np.array([99.0]), 0.04).tar == 1.0
    assert top.point(np.zeros(0), 0.04).reason == "no genuine pairs"
    assert TopScores(5).point(np.ones(1), 0.5).reason == "0 impostor pairs, fewer than 1/FAR"
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(EmbeddingsError, match="scores contain NaN"):
            top.add(np.array([1.0, wrong]))


@settings(deadline=None, max_examples=200)
@given(scores(), st.lists(st.sampled_from(RATES), min_size=1, max_size=3, unique=True))
def test_nearest_fpr_is_what_the_published_script_prints(case, fars):
    genuine, impostor = case
    for point in tar_at_nearest_fpr(genuine, impostor, fars):
        if point.tar is None:
            continue
        tar, reached = longhand.nearest(genuine, impostor, point.far)
        assert (point.tar, point.reached) == pytest.approx((tar, reached), abs=1e-12)
        if point.threshold is not None:
            assert (genuine >= point.threshold).mean() == pytest.approx(point.tar)
            assert (impostor >= point.threshold).mean() == pytest.approx(point.reached)


def test_dropped_points_move_the_nearest():
    """The curve is straight from 0 to 5 false accepts, so 4 of 40 (the rate asked for) is no point of it;
    of the two points with 5 the script takes the upper one."""
    genuine, impostor = np.array([40.0, 34.5]), np.arange(40.0)
    (point,) = tar_at_nearest_fpr(genuine, impostor, [0.1])
    assert (point.tar, point.reached) == (1.0, 5 / 40) == longhand.nearest(genuine, impostor, 0.1)
    assert tar_at_far(genuine, impostor, [0.1])[0].tar == 0.5


@settings(deadline=None, max_examples=100)
@given(scores(), st.sampled_from(RATES))
def test_rounded_takes_the_kth_highest(case, far):
    genuine, impostor = case
    (point,) = tar_at_rounded_far(genuine, impostor, [far])
    if far * len(impostor) < 1 - 1e-9 or len({*genuine, *impostor}) == 1:
        assert point.tar is None and point.reason
        return
    threshold = sorted(impostor, reverse=True)[round(far * len(impostor)) - 1]
    assert point.tar == pytest.approx(sum(score >= threshold for score in genuine) / len(genuine))
    assert point.reached == pytest.approx(sum(score >= threshold for score in impostor) / len(impostor))


@pytest.mark.parametrize("rule", [tar_at_nearest_fpr, tar_at_rounded_far])
def test_no_figure_that_the_data_cannot_give(rule):
    some = np.arange(10.0)
    assert rule(some, some, [0.01])[0].reason == "10 impostor pairs, fewer than 1/FAR"
    assert rule(np.zeros(0), some, [0.1])[0].reason == "no genuine pairs"
    assert rule(some, np.zeros(0), [0.1])[0].reason == "0 impostor pairs, fewer than 1/FAR"
    assert rule(np.ones(5), np.ones(50), [0.1])[0].reason == "all scores are equal"
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(FacepipeError, match="scores contain NaN"):
            rule(some, np.r_[some, wrong], [0.1])
