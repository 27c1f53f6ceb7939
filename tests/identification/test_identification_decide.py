"""The threshold for a false-positive rate of the whole gallery."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import ModelError
from facepipe.identification import decide
from facepipe.zoo import Card

POINTS = ((1e-2, 0.30), (1e-3, 0.43), (1e-4, 0.53))


def card(points=POINTS, score="cosine"):
    fields = {
        "name": "net",
        "title": "",
        "backbone": "sphereface4",
        "input": {"size": (112, 96), "template": "112x96", "channels": "rgb", "mean": 0.0, "scale": 1.0},
        "embedding": {"dim": 8, "flip": "none"},
        "weights": {"file": "a", "format": "torch", "sha256": "0" * 64},
        "thresholds": [
            {"far": far, "value": value, "score": score, "calibrated_on": "pairs"} for far, value in points
        ],
    }
    return Card.of(fields)


def test_far_of_one_comparison():
    """One in a hundred searches of eight people: 1 − (1 − FAR)^8 = 0.01."""
    made = decide(card(), 0.01, 8)
    assert 1 - (1 - made.far) ** 8 == pytest.approx(0.01, rel=1e-12)
    assert (made.fpir, made.how, made.calibrated_on) == (0.01, "interpolated", "pairs")
    assert decide(card(), 1e-3, 1).far == pytest.approx(1e-3)


@pytest.mark.parametrize(("far", "value"), POINTS)
def test_measured_points_are_taken_as_they_are(far, value):
    made = decide(card(), far, 1)
    assert (made.threshold, made.how) == (value, "measured")


def test_larger_galleries_ask_for_more():
    thresholds = [decide(card(), 0.01, people).threshold for people in (1, 2, 8, 30, 100, 1000, 10_000)]
    assert thresholds == sorted(thresholds) and len(set(thresholds)) == len(thresholds)


def test_between_points_by_hand():
    """A quarter of the way from 1e-3 to 1e-4: the line through 1e-2 and 1e-3 is lower than the point at 1e-4."""
    assert decide(card(), 10**-3.25, 1).threshold == pytest.approx(0.43 + 0.25 * 0.13)
    assert decide(card(), 10**-3.9, 1).threshold == pytest.approx(0.53), "the next stricter point is the lower one"
    assert decide(card(), 10**-2.5, 1).threshold == pytest.approx(0.43 - 0.5 * 0.10), "the line through 1e-3, 1e-4"


def test_beyond_the_points_by_hand():
    made = decide(card(), 1e-5, 1)
    assert (made.threshold, made.how) == (pytest.approx(0.53 + 0.10), "extrapolated")
    made = decide(card(), 0.1, 1)
    assert (made.threshold, made.how) == (pytest.approx(0.30 - 0.13), "extrapolated")
    assert decide(card(), 1e-12, 1).threshold == 1.0, "a cosine can be no more"


@settings(deadline=None, max_examples=200)
@given(curvature=st.floats(0.05, 1), x=st.floats(0.5, 9), scale=st.floats(0.01, 0.08))
def test_never_below_a_concave_curve(curvature, x, scale):
    """Whatever concave function of log FAR the points come from, the threshold lies on it or above."""

    def truth(at):
        return scale * at**curvature

    points = [(10.0**-at, truth(at)) for at in (2, 3, 4)]
    assert decide(card(points), 10.0**-x, 1).threshold >= min(1.0, truth(x)) - 1e-9


@given(values=st.lists(st.floats(0.01, 0.9), min_size=3, max_size=3, unique=True), x=st.floats(2, 4))
def test_never_below_the_chord(values, x):
    """Nor, where the points are not concave, below the line from point to point."""
    values = sorted(values)
    left = min(int(x) - 2, 1)
    chord = values[left] + (values[left + 1] - values[left]) * (x - 2 - left)
    points = list(zip((1e-2, 1e-3, 1e-4), values, strict=True))
    assert decide(card(points), 10.0**-x, 1).threshold >= chord - 1e-9


def test_the_other_population():
    """Thresholds of people who are alike are another curve, and what the threshold lets through is told of both."""
    own = card()
    alike = [replace(t, population="alike", value=t.value + 0.1) for t in own.thresholds]
    both = replace(own, thresholds=(*own.thresholds, *alike))
    loose, strict = decide(both, 1e-3, 1), decide(both, 1e-3, 1, among="alike")
    assert (loose.threshold, strict.threshold) == (0.43, pytest.approx(0.53))
    assert loose.false_matches["random"].rate == 1e-3 and loose.false_matches["alike"].rate > 4e-3
    assert strict.false_matches["random"].rate == 1e-4 and (loose.among, strict.among) == ("random", "alike")
    with pytest.raises(ModelError, match="thresholds among people who are alike at FAR no rate"):
        decide(own, 0.01, 1, among="alike")


def test_too_few_points():
    one = card(POINTS[1:2])
    assert decide(one, 0.01, 1).threshold == 0.43, "a stricter point than asked for is safe"
    with pytest.raises(ModelError, match=r"thresholds at FAR 0.001: too few for FAR 0.0001, which FPIR 0.0001 over 1"):
        decide(one, 1e-4, 1)
    with pytest.raises(ModelError, match="scf thresholds at FAR no rate"):
        decide(card(), 0.01, 1, "scf")
    assert decide(card(((1e-2, 80.0), (1e-3, 90.0)), "scf"), 1e-3, 1, "scf").threshold == 90.0


@pytest.mark.parametrize("fpir", [0, 1, -1, math.nan, 2])
def test_impossible_rates(fpir):
    with pytest.raises(ModelError, match="must be between 0 and 1"):
        decide(card(), fpir, 8)
