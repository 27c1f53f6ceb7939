"""Cosine and thresholds at a false-accept rate, against longhand and counting."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facepipe.errors import FacepipeError
from facepipe.score import cosine, threshold_at_far, unit

ENTRIES = st.floats(-1e3, 1e3, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)


def pairs_of_rows():
    shapes = st.tuples(st.integers(0, 6), st.integers(1, 5))
    return shapes.flatmap(lambda shape: st.tuples(*[arrays(np.float32, shape, elements=ENTRIES)] * 2))


@settings(deadline=None)
@given(pairs_of_rows())
def test_cosine_longhand(pair):
    a, b = pair
    got = cosine(a, b)
    assert got.shape == (len(a),) and got.dtype == np.float64
    for row in range(len(a)):
        x, y = ([float(value) for value in side[row]] for side in pair)
        dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
        norms = math.sqrt(math.fsum(p * p for p in x)) * math.sqrt(math.fsum(q * q for q in y))
        assert got[row] == pytest.approx(dot / norms if norms else 0.0, abs=1e-12)
        assert -1 <= got[row] <= 1


def test_cosine_of_known_angles():
    a = np.array([[3.0, 0], [2, 2], [1, 0], [0, 0], [1e-30, 0], [1e30, 1e30]])
    b = np.array([[0, 9.0], [5, 0], [-4, 0], [1, 1], [1e-30, 0], [2e30, 2e30]])
    np.testing.assert_allclose(cosine(a, b), [0, math.sqrt(0.5), -1, 0, 1, 1], atol=1e-15)


def test_cosine_of_a_row_with_itself_is_at_most_one():
    x = np.random.default_rng(0).normal(size=(2000, 7))
    assert cosine(x, x).max() <= 1 and cosine(x, -x).min() >= -1


def test_cosine_in_more_than_one_block():
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(65_536 * 2 + 3, 2)).astype(np.float32) for _ in range(2))
    angle = np.arctan2(*a.T[::-1].astype(float)) - np.arctan2(*b.T[::-1].astype(float))
    np.testing.assert_allclose(cosine(a, b), np.cos(angle), atol=1e-12)


def test_unit():
    x = np.array([[3, 4], [0, 0], [-5, 0]], np.float32)
    got = unit(x)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, [[0.6, 0.8], [0, 0], [-1, 0]], atol=1e-15)
    assert (x == [[3, 4], [0, 0], [-5, 0]]).all()


def accepted(scores, threshold):
    return sum(score >= threshold for score in scores)


def slow_threshold(scores, allowed):
    """The k-th highest score, or the next float above, if a tie makes it accept more than k."""
    candidate = sorted(scores, reverse=True)[allowed - 1]
    if accepted(scores, candidate) > allowed:
        return math.nextafter(candidate, math.inf)
    return candidate


FEW_VALUES = st.sampled_from([-1.0, -0.25, 0.0, 0.1, 0.25, 0.5, 1.0])
SCORES = st.lists(FEW_VALUES | st.floats(-1, 1), min_size=1, max_size=40)


@settings(deadline=None, max_examples=300)
@given(scores=SCORES, k=st.integers(1, 40), slack=st.floats(0, 0.99))
def test_threshold_against_counting(scores, k, slack):
    """FAR (k + slack)/N lets k through."""
    far = (k + slack) / len(scores)
    allowed = math.floor(Fraction(far) * len(scores) + Fraction(1, 10**9))
    impostor = np.array(scores)
    if not 0 < far < 1 or allowed < 1:
        with pytest.raises(FacepipeError, match="cannot be measured"):
            threshold_at_far(impostor, far)
        return
    got = threshold_at_far(impostor, far)
    assert got == slow_threshold(scores, allowed)
    assert accepted(scores, got) <= allowed
    # The next lower score would be one accepted too many.
    below = [score for score in scores if score < got]
    if below:
        assert accepted(scores, max(below)) > allowed or accepted(scores, got) == allowed


@settings(deadline=None, max_examples=300)
@given(
    dtype=st.sampled_from([np.float64, np.float32, np.float16]),
    scores=SCORES,
    far=st.floats(1e-4, 1, exclude_max=True),
)
def test_far_is_never_exceeded(dtype, scores, far):
    """Also where scores of lower precision are compared with the returned Python float."""
    impostor = np.array(scores).astype(dtype)
    try:
        threshold = threshold_at_far(impostor, far)
    except FacepipeError:
        assert far * len(scores) < 1
        return
    assert isinstance(threshold, float)
    assert np.mean(impostor >= threshold) <= far * (1 + 1e-8)


def test_exact_rates_are_not_lost_to_rounding():
    """0.07 · 100 = 7.000000000000001 and 0.29 · 100 = 28.999999999999996 in floating point."""
    scores = np.arange(100) / 100
    for far, count in ((0.01, 1), (0.07, 7), (0.29, 29), (0.57, 57), (0.58, 58)):
        assert accepted(scores, threshold_at_far(scores, far)) == count
    thousand = np.random.default_rng(0).permutation(3000)
    assert threshold_at_far(thousand, 1e-3) == 2997
    assert accepted(thousand, threshold_at_far(thousand, 0.1)) == 300


def test_all_scores_alike():
    assert threshold_at_far(np.full(50, 0.3), 0.1) == math.nextafter(0.3, 1)


def test_input_stays_as_it_was():
    scores = np.array([0.3, 0.1, 0.2, 0.9])
    threshold_at_far(scores, 0.5)
    assert scores.tolist() == [0.3, 0.1, 0.2, 0.9]


@pytest.mark.parametrize(("count", "far"), [(0, 0.1), (9, 0.1), (999, 1e-3), (100, 0), (100, 1), (100, -0.1), (5, 1.5)])
def test_rate_that_cannot_be_measured(count, far):
    with pytest.raises(FacepipeError, match=f"false-accept rate of .* cannot be measured on {count} impostor pairs"):
        threshold_at_far(np.linspace(-1, 1, count), far)


def test_scores_that_are_not_finite():
    with pytest.raises(FacepipeError, match="finite"):
        threshold_at_far(np.array([0.1, np.nan] * 50), 0.1)
