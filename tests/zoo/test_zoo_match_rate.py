"""How often strangers pass at a score, from a card's thresholds."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facepipe.zoo import MatchRate, Threshold, match_rate, rates_in_words


def points(*pairs, population="random"):
    more = {"population": population}
    return [Threshold(far=far, value=value, calibrated_on=f"pairs at {far:g}", **more) for far, value in pairs]


def test_between_two_thresholds_by_hand():
    """A quarter of the way from 0.2 to 0.4 the rate has fallen by a quarter of the two decades."""
    found = match_rate(points((1e-4, 0.4), (1e-2, 0.2)), 0.25)
    assert found.rate == pytest.approx(10**-2.5) and found.bound == ""
    assert found.measured_on == "pairs at 0.01"


def test_at_and_beyond_the_thresholds():
    measured = points((1e-2, 0.2), (1e-3, 0.3))
    assert match_rate(measured, 0.3) == MatchRate(1e-3, "", "pairs at 0.001")
    assert match_rate(measured, 0.31) == MatchRate(1e-3, "at most", "pairs at 0.001")
    assert match_rate(measured, -1.0) == MatchRate(1e-2, "at least", "pairs at 0.01")
    assert match_rate([], 0.3) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=4, unique=True), st.floats(-1, 1), st.floats(-1, 1))
def test_stricter_scores_never_pass_more(values, a, b):
    measured = points(*zip((1e-1, 1e-2, 1e-3, 1e-4), sorted(values), strict=False))
    low, high = sorted((a, b))
    assert match_rate(measured, high).rate <= match_rate(measured, low).rate * (1 + 1e-9)
    assert 1e-4 <= match_rate(measured, low).rate <= 1e-1


def test_words():
    rates = {"random": MatchRate(1e-3, "", ""), "alike": MatchRate(1 / 141.3, "", "")}
    assert rates_in_words(rates) == "1 in 1,000 among people at random, 1 in 140 among people who are alike"
    told = rates_in_words({"random": MatchRate(1e-5, "at most", ""), "alike": None})
    assert told == "fewer than 1 in 100,000 among people at random, not measured among people who are alike"
    assert MatchRate(0.1, "at least", "").in_words == "more than 1 in 10"
    assert MatchRate(0.31, "", "").in_words == "31 in 100"
