"""The mutual likelihood score and the σ² of templates, against their formulas longhand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score.pair_scores import mls as module
from facepipe.score.pair_scores.mls import fast_mls, mls
from facepipe.score.pairs import score_pairs
from facepipe.score.pool import pool

RNG = np.random.default_rng(3)


def embeddings(count=9, dim=4, width=4, **changes):
    fields = {
        "mu": RNG.normal(size=(count, dim)).astype(np.float32),
        "model": "m@1",
        "sigma2": RNG.uniform(0.1, 2, (count, width)).astype(np.float32),
        "trained_dim": width if width > 1 else dim,
    }
    return Embeddings(**{**fields, **changes})


def unit(vector):
    vector = [float(value) for value in vector]
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector]


def eq3(mu, other, sigma2, other_sigma2):
    total = 0.0
    for a, b, s, t in zip(mu, other, sigma2, other_sigma2, strict=True):
        both = float(s) + float(t)
        total -= 0.5 * ((a - b) ** 2 / both + math.log(both) + math.log(2 * math.pi))
    return total


def eq5(mu, other, sigma2, other_sigma2):
    cosine = math.fsum(a * b for a, b in zip(mu, other, strict=True))
    both = float(sigma2) + float(other_sigma2)
    return -(2 - 2 * cosine) / both - math.log(both)


LEFT, RIGHT = np.array([0, 3, 3, 8, 5]), np.array([1, 2, 3, 0, 4])


def test_vector_is_equation_3():
    e = embeddings()
    got = score_pairs("mls", e, LEFT, RIGHT)
    expected = [eq3(unit(e.mu[i]), unit(e.mu[j]), e.sigma2[i], e.sigma2[j]) for i, j in zip(LEFT, RIGHT, strict=True)]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_scalar_is_equation_5():
    e = embeddings(width=1)
    got = score_pairs("mls", e, LEFT, RIGHT)
    expected = [
        eq5(unit(e.mu[i]), unit(e.mu[j]), e.sigma2[i, 0], e.sigma2[j, 0]) for i, j in zip(LEFT, RIGHT, strict=True)
    ]
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_the_two_scales_are_not_one():
    """Equal σ² in D dimensions: Eq. 3 counts the logarithm D times, Eq. 5 once."""
    e = embeddings(width=1)
    wide = embeddings(mu=e.mu, sigma2=np.repeat(e.sigma2, 4, 1))
    scalar, vector = (score_pairs("mls", which, LEFT, RIGHT) for which in (e, wide))
    log_total = np.log((e.sigma2[LEFT, 0] + e.sigma2[RIGHT, 0]).astype(np.float64))
    np.testing.assert_allclose(2 * vector + 4 * math.log(2 * math.pi), scalar - 3 * log_total, atol=1e-6)


def test_loss_is_the_negative_score():
    import torch

    from facepipe import losses

    for width, loss in ((4, losses.mls_sum_loss), (1, losses.fast_mls_loss)):
        e = embeddings(width=width)
        labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3])
        i, j = np.triu_indices(9, 1)
        same = labels[i] == labels[j]
        score = score_pairs("mls", e, i[same], j[same]).mean()
        mu = torch.from_numpy(np.array([unit(row) for row in e.mu]))
        log = torch.from_numpy(e.sigma2).double().log()
        assert loss(mu, log, torch.from_numpy(labels)).item() == pytest.approx(-score, abs=1e-10)


def test_concatenated_mirror_images():
    e = embeddings(dim=8, width=4)
    got = score_pairs("mls", e, LEFT, RIGHT)
    for value, i, j in zip(got, LEFT, RIGHT, strict=True):
        halves = [
            eq3(unit(e.mu[i][half]), unit(e.mu[j][half]), e.sigma2[i], e.sigma2[j])
            for half in (slice(0, 4), slice(4, 8))
        ]
        assert value == pytest.approx(sum(halves) / 2, abs=1e-10)


@pytest.mark.parametrize("width", [1, 4])
def test_in_blocks(monkeypatch, width):
    e = embeddings(width=width)
    left, right = RNG.integers(0, 9, (2, 50))
    whole = score_pairs("mls", e, left, right)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 4 * 7)
    np.testing.assert_array_equal(score_pairs("mls", e, left, right), whole)
    assert score_pairs("mls", e, left[:0], right[:0]).shape == (0,)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_symmetric_and_lower_for_opposite_faces(seed, dim):
    rng = np.random.default_rng(seed)
    mu, other = (np.array([unit(rng.normal(size=dim))]) for _ in range(2))
    a, b = rng.uniform(0.01, 3, (2, 1, dim))
    assert mls(mu, other, a, b) == pytest.approx(mls(other, mu, b, a))
    assert mls(mu, mu, a, b) >= mls(mu, other, a, b) >= mls(mu, -mu, a, b) - 1e-12 or dim > 1
    assert fast_mls(np.ones(1), a[:, 0], b[:, 0]) >= fast_mls(-np.ones(1), a[:, 0], b[:, 0])


@pytest.mark.parametrize("score", ["mls", "mls-attention"])
@pytest.mark.parametrize("width", [1, 4])
def test_an_empty_template_has_no_score(score, width):
    e = embeddings(width=width)
    e.sigma2[2] = np.inf
    with pytest.raises(EmbeddingsError, match=r"row 2: a template without images has no score; leave it out"):
        score_pairs(score, e, np.array([0, 0]), np.array([1, 2]))
    assert np.isfinite(score_pairs(score, e, np.array([3, 0]), np.array([1, 1]))).all()


def test_errors():
    without = embeddings(sigma2=None)
    with pytest.raises(EmbeddingsError, match="m@1 have no sigma2, which score mls needs"):
        score_pairs("mls", without, LEFT, RIGHT)
    with pytest.raises(EmbeddingsError, match="sigma2 of 3 dimensions does not match 4-d"):
        score_pairs("mls", embeddings(width=3), LEFT, RIGHT)
    for bad in (0.0, -1.0, np.nan):
        e = embeddings(paths=tuple(f"{i}.jpg" for i in range(9)))
        e.sigma2[4, 1] = bad
        with pytest.raises(EmbeddingsError, match=r"4\.jpg: its sigma2 is not above 0"):
            score_pairs("mls", e, LEFT, RIGHT)


TEMPLATE = np.array([1, 0, 1, 1, 2, 0, 2, 1, 0])


def fused(e, rows, dim, width):
    """Σσ⁻²u/Σσ⁻² per dimension, longhand."""
    out = []
    for k in range(dim):
        weights = [1 / float(e.sigma2[row, k % width]) for row in rows]
        vectors = [unit(e.mu[row])[k] for row in rows]
        out.append(math.fsum(w * u for w, u in zip(weights, vectors, strict=True)) / math.fsum(weights))
    return out


SIGMA2 = {
    "sigma2": lambda values: 1 / math.fsum(1 / value for value in values),
    "sigma2-min": min,
    # Σwσ²/Σw with w = 1/σ².
    "sigma2-mean": lambda values: math.fsum(value / value for value in values) / math.fsum(1 / v for v in values),
}


@pytest.mark.parametrize("rule", list(SIGMA2))
@pytest.mark.parametrize("width", [1, 4])
def test_pooling_rules(rule, width):
    e = embeddings(width=width)
    got = pool(e, TEMPLATE, rule)
    for number in range(3):
        rows = np.flatnonzero(number == TEMPLATE)
        np.testing.assert_allclose(got.mu[number], fused(e, rows, 4, width), atol=1e-6)
        expected = [SIGMA2[rule]([float(value) for value in e.sigma2[rows, k]]) for k in range(width)]
        np.testing.assert_allclose(got.sigma2[number], expected, rtol=1e-6)


def test_rules_at_full_precision():
    from facepipe.score import POOLINGS

    sigma2 = RNG.uniform(0.1, 2, (9, 3))
    for rule, slow in SIGMA2.items():
        got = POOLINGS[rule].variance(sigma2, 1 / sigma2, np.array([0, 2, 3]))
        expected = [[slow(list(sigma2[a:b, k])) for k in range(3)] for a, b in ((0, 2), (2, 3), (3, 9))]
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_what_the_rules_are_for():
    """Equal images: the posterior is n times as sure, the others as sure as one."""
    e = embeddings(count=4, mu=np.ones((4, 4), np.float32), sigma2=np.full((4, 1), 0.8, np.float32))
    got = {rule: float(pool(e, np.zeros(4, int), rule).sigma2[0, 0]) for rule in SIGMA2}
    assert got == pytest.approx({"sigma2": 0.2, "sigma2-min": 0.8, "sigma2-mean": 0.8})


@pytest.mark.parametrize("width", [1, 4])
def test_attention_only(width):
    """The first term of `mls` alone, as ProbFace's program has it for one σ² a face."""
    e = embeddings(width=width)
    got = score_pairs("mls-attention", e, LEFT, RIGHT)
    for index, (a, b) in enumerate(zip(LEFT, RIGHT, strict=True)):
        x, y = unit(e.mu[a]), unit(e.mu[b])
        total = [float(s + t) for s, t in zip(e.sigma2[a], e.sigma2[b], strict=True)]
        if width == 1:
            expected = -2 * (1 - math.fsum(p * q for p, q in zip(x, y, strict=True))) / total[0]
        else:
            expected = -0.5 * math.fsum((p - q) ** 2 / t for p, q, t in zip(x, y, total, strict=True))
        assert got[index] == pytest.approx(expected, rel=1e-5)
