"""Probabilities against scikit-learn's logistic regression and the normal model, where the answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from facepipe.errors import FacepipeError
from facepipe.score import Logistic, fit_logistic, probability
from facepipe.score.reliability import reliability


def test_as_scikit_learn():
    generator = np.random.default_rng(0)
    genuine, impostor = generator.normal(0.6, 0.15, 4000), generator.normal(0.05, 0.1, 30000)
    curve = fit_logistic(genuine, impostor)
    x = np.concatenate([genuine, impostor])
    # A pair with target t is t of a genuine and 1 − t of an impostor pair.
    target = np.repeat([4001 / 4002, 1 / 30002], [4000, 30000])
    share = np.repeat([1 / 4000, 1 / 30000], [4000, 30000])
    y = np.repeat([1, 0], len(x))
    weight = 1e3 * np.concatenate([share * target, share * (1 - target)])
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(np.tile(x, 2)[:, None], y, weight)
    assert curve.slope == pytest.approx(oracle.coef_[0, 0], rel=1e-4)
    assert curve.offset == pytest.approx(oracle.intercept_[0], rel=1e-4)


def test_finds_the_curve_that_made_the_scores():
    """Two normal distributions of one variance have log odds linear in the score: (a−b)/σ²·s − (a²−b²)/2σ²."""
    generator = np.random.default_rng(1)
    curve = fit_logistic(generator.normal(0.5, 0.2, 200_000), generator.normal(0.0, 0.2, 200_000))
    assert curve.slope == pytest.approx(0.5 / 0.04, rel=0.01)
    assert curve.offset == pytest.approx(-0.25 / 0.08, rel=0.02)


def test_numbers_of_pairs_do_not_matter():
    generator = np.random.default_rng(2)
    genuine, impostor = generator.normal(0.5, 0.2, 5000), generator.normal(0, 0.2, 5000)
    once, often = fit_logistic(genuine, impostor), fit_logistic(genuine, np.tile(impostor, 20))
    assert often.slope == pytest.approx(once.slope, rel=0.01)
    assert often.offset == pytest.approx(once.offset, rel=0.01)


def test_apart_scores_have_a_curve():
    curve = fit_logistic(np.array([0.8, 0.9]), np.array([0.1, 0.2]))
    assert math.isfinite(curve.slope) and curve.slope > 0
    assert probability(0.9, curve) > 0.5 > probability(0.1, curve)


@given(st.floats(-1e4, 1e4), st.floats(1e-6, 1 - 1e-6))
def test_prior_moves_the_odds(odds, prior):
    told = probability(odds, Logistic(1.0, 0.0), prior)
    assert 0 <= told <= 1
    if abs(odds) < 20:
        assert math.log(told / (1 - told)) == pytest.approx(odds + math.log(prior / (1 - prior)), abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("prior", [0, 1, -0.1, math.nan])
def test_impossible_priors(prior):
    with pytest.raises(FacepipeError, match="between 0 and 1"):
        probability(0.5, Logistic(1.0, 0.0), prior)


@pytest.mark.parametrize(
    ("genuine", "impostor", "message"),
    [([], [0.1], "both kinds"), ([0.1], [], "both kinds"), ([math.nan], [0.1], "numbers"),
     ([0.1, 0.2], [0.8, 0.9], "higher scores"), ([0.5, 0.5], [0.5, 0.5], "higher scores")],
)  # fmt: skip
def test_scores_that_tell_nothing(genuine, impostor, message):
    with pytest.raises(FacepipeError, match=message):
        fit_logistic(np.array(genuine), np.array(impostor))


def test_reliability_counted_longhand():
    told = np.array([0.05, 0.05, 0.05, 0.45, 0.55, 0.95, 1.0, 0.0])
    same = np.array([0, 0, 1, 1, 1, 1, 1, 0], bool)
    found = reliability(told, same)
    assert found.stated == pytest.approx([0.15 / 4, 0.45, 0.55, 0.975])
    assert found.observed == pytest.approx([0.25, 1, 1, 1]) and found.pairs.tolist() == [4, 1, 1, 2]
    gaps = [4 * abs(0.25 - 0.0375), 0.55, 0.45, 2 * 0.025]
    assert found.expected_error == pytest.approx(sum(gaps) / 8)
    assert found.brier == pytest.approx(brier_score_loss(same, told))
    assert found.log_loss == pytest.approx(log_loss(same, told) / math.log(2), rel=1e-6)


def test_true_probabilities_are_reliable():
    generator = np.random.default_rng(3)
    told = generator.random(200_000)
    found = reliability(told, generator.random(200_000) < told)
    assert found.expected_error < 0.01
