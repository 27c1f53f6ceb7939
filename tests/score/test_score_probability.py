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


def with_confidence(generator, size, sign):
    """Scores ±0.3 with a spread that confidence makes smaller: log odds = 2·0.3·e^(2c)/s² ·score, no offset."""
    c = generator.uniform(0, 1, size)
    return generator.normal(sign * 0.3, 0.3 * np.exp(-c)), c


def test_confidence_as_scikit_learn():
    generator = np.random.default_rng(4)
    (genuine, a), (impostor, b) = with_confidence(generator, 30_000, 1), with_confidence(generator, 40_000, -1)
    curve = fit_logistic(genuine, impostor, confidence=(a, b))
    assert curve.needs_confidence and curve.low < 0.02 and curve.high > 0.98
    x, c = np.concatenate([genuine, impostor]), np.clip(np.concatenate([a, b]), curve.low, curve.high)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000)
    y, weight = np.repeat([1, 0], [30_000, 40_000]), np.repeat([1 / 30, 1 / 40], [30_000, 40_000])
    oracle.fit(np.stack([x, c, x * c], 1), y, weight)
    for score, sure in ((0.1, 0.1), (0.1, 0.9), (-0.2, 0.5), (0.02, 0.7)):
        told = probability(score, curve, confidence=sure)
        assert told == pytest.approx(oracle.predict_proba([[score, sure, score * sure]])[0, 1], abs=2e-3)
    plain = fit_logistic(genuine, impostor)
    both = np.concatenate([genuine, impostor]), np.repeat([True, False], [30_000, 40_000])
    with_it = reliability(probability(x, curve, confidence=np.concatenate([a, b])), both[1], prior=0.5)
    assert with_it.cllr < reliability(probability(x, plain), both[1], prior=0.5).cllr - 0.01


def test_confidence_is_kept_within_what_was_fitted():
    curve = Logistic(10.0, -3.0, 0.5, 2.0, 1.0, 4.0)
    assert probability(0.3, curve, confidence=0.0) == probability(0.3, curve, confidence=1.0)
    assert probability(0.3, curve, confidence=9.0) == probability(0.3, curve, confidence=4.0)
    odds = 10 * 0.3 - 3 + 0.5 * 2 + 2 * 0.3 * 2
    assert probability(0.3, curve, confidence=2.0) == pytest.approx(1 / (1 + math.exp(-odds)))
    with pytest.raises(FacepipeError, match="depends on kappa or sigma2"):
        probability(0.3, curve)


@pytest.mark.parametrize("confidence", [np.ones(400), np.full(400, np.nan)])
def test_uninformative_confidences_are_ignored(confidence):
    generator = np.random.default_rng(5)
    genuine, impostor = generator.normal(0.5, 0.2, 400), generator.normal(0, 0.2, 400)
    assert fit_logistic(genuine, impostor, confidence=(confidence, confidence)) == fit_logistic(genuine, impostor)


def test_a_curve_that_would_fall_somewhere_leaves_confidences_out():
    """Where the model is sure, higher scores mean two people: no card may say so."""
    generator = np.random.default_rng(6)
    c = np.repeat([0.0, 1.0], 2000)
    genuine, impostor = (generator.normal(sign * np.where(c > 0, -0.2, 1.0), 0.3) for sign in (1, -1))
    curve = fit_logistic(genuine, impostor, confidence=(c, c))
    assert not curve.needs_confidence and curve.slope > 0


def test_weights_of_impostor_pairs():
    """Twice the weight is the pair twice, but for Platt's targets, which count pairs."""
    generator = np.random.default_rng(7)
    genuine, easy, hard = (generator.normal(mean, 0.2, 5000) for mean in (0.5, 0.0, 0.2))
    weighted = fit_logistic(genuine, np.concatenate([easy, hard]), np.repeat([1.0, 2.0], 5000))
    repeated = fit_logistic(genuine, np.concatenate([easy, hard, hard]))
    assert weighted.slope == pytest.approx(repeated.slope, rel=0.01)
    assert weighted.offset == pytest.approx(repeated.offset, rel=0.01)


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
    [([], [0.1], "both genuine and"), ([0.1], [], "both genuine and"), ([math.nan], [0.1], "finite scores"),
     ([0.1, 0.2], [0.8, 0.9], "higher scores"), ([0.5, 0.5], [0.5, 0.5], "higher scores")],
)  # fmt: skip
def test_uninformative_scores(genuine, impostor, message):
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


def test_the_middle_is_counted_alone():
    told = np.array([0.05, 0.05, 0.45, 0.55, 0.55, 0.95])
    found = reliability(told, np.array([0, 1, 1, 1, 0, 0], bool))
    assert found.middle_pairs == 3
    assert found.middle_error == pytest.approx((0.55 + 2 * 0.05) / 3)
    assert reliability(np.array([0.01, 0.99]), np.array([False, True])).middle_error == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_cllr_longhand(seed, prior):
    """½ [mean over genuine of log2(1 + 1/LR) + mean over impostor of log2(1 + LR)], whatever the prior."""
    generator = np.random.default_rng(seed)
    ratio = np.exp(generator.normal(0, 3, 40))
    genuine = np.arange(40) < 13
    odds = ratio * prior / (1 - prior)
    told = odds / (1 + odds)
    same = sum(math.log2(1 + 1 / lr) for lr in ratio[genuine]) / 13
    different = sum(math.log2(1 + lr) for lr in ratio[~genuine]) / 27
    assert reliability(told, genuine, prior=prior).cllr == pytest.approx((same + different) / 2, rel=1e-6)


def test_cllr_of_a_coin_and_of_one_kind():
    assert reliability(np.full(6, 0.5), np.arange(6) < 3).cllr == pytest.approx(1)
    assert math.isnan(reliability(np.full(3, 0.5), np.zeros(3, bool)).cllr)


def test_true_probabilities_are_reliable():
    generator = np.random.default_rng(3)
    told = generator.random(200_000)
    found = reliability(told, generator.random(200_000) < told)
    assert found.expected_error < 0.01
