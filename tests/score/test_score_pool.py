"""Pooling of templates against slow loops over templates, media and images."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score import POOLS, pool

RULES = ("mean", "norm", "max", "kappa", "sigma2")


def faces(n=30, d=6, k=1, seed=0, **other):
    rng = np.random.default_rng(seed)
    fields = {
        "kappa": rng.uniform(10, 900, n).astype(np.float32),
        "sigma2": rng.uniform(0.1, 3, (n, k)).astype(np.float32),
        "trained_dim": d,
        "detected": rng.random(n) < 0.5,
    }
    mu = (rng.normal(size=(n, d)) * rng.uniform(1, 30, (n, 1))).astype(np.float32)
    return Embeddings(mu, "net@0", paths=tuple(map(str, range(n))), **(fields | other))


def weight_of(embeddings, row, rule):
    if rule == "kappa":
        return np.full(embeddings.dim, float(embeddings.kappa[row]))
    if rule == "sigma2":
        repeats = embeddings.dim // embeddings.sigma2.shape[1]
        return np.tile(1 / embeddings.sigma2[row].astype(float), repeats)
    return np.ones(embeddings.dim)


def slow_mean(embeddings, rows, rule):
    total, weights = np.zeros(embeddings.dim), np.zeros(embeddings.dim)
    for row in rows:
        mu = embeddings.mu[row].astype(float)
        vector = mu if rule == "norm" else mu / np.sqrt((mu * mu).sum())
        total += weight_of(embeddings, row, rule) * vector
        weights += weight_of(embeddings, row, rule)
    return total / weights


def slow_natural(embeddings, rows):
    """Mean of κ_i u_i."""
    parts = [float(embeddings.kappa[row]) * slow_mean(embeddings, [row], "mean") for row in rows]
    return sum(parts) / len(parts)


def slow_groups(rows, media):
    """Rows of each medium; without media each row by itself."""
    if media is None:
        return [[row] for row in rows]
    return [[row for row in rows if media[row] == key] for key in sorted({media[row] for row in rows})]


def slow_pool(embeddings, template, rule, media, count):
    mu, kappa = np.zeros((count, embeddings.dim)), np.zeros(count)
    for t in range(count):
        rows = [row for row in range(len(embeddings)) if template[row] == t]
        if not rows:
            continue
        groups = slow_groups(rows, media)
        if rule == "max":
            mu[t] = np.max([slow_mean(embeddings, group, "mean") for group in groups], axis=0)
        elif media is None:
            mu[t] = slow_mean(embeddings, rows, rule)
        else:
            mu[t] = sum(slow_mean(embeddings, group, rule) for group in groups)
        kappa[t] = np.sqrt((sum(slow_natural(embeddings, group) for group in groups) ** 2).sum())
    return mu, kappa


@settings(deadline=None, max_examples=60)
@given(
    rule=st.sampled_from(RULES), n=st.integers(1, 40), templates=st.integers(1, 12), with_media=st.booleans(),
    k=st.sampled_from([1, 3, 6]), seed=st.integers(0, 3),
)
def test_against_loops(rule, n, templates, with_media, k, seed):
    embeddings = faces(n, k=k, seed=seed)
    rng = np.random.default_rng(seed)
    template = rng.integers(0, templates, n)
    media = rng.integers(-3, 4, n) * 1000 if with_media else None
    mu, kappa = slow_pool(embeddings, template, rule, media, templates)
    pooled = pool(embeddings, template, rule, media, count=templates)
    np.testing.assert_allclose(pooled.mu, mu, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(pooled.kappa, kappa, rtol=1e-5)
    for t in range(templates):
        rows = template == t
        assert pooled.detected[t] == embeddings.detected[rows].any()
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(pooled.sigma2[t], 1 / (1 / embeddings.sigma2[rows]).sum(0), rtol=1e-5)
    assert len(pooled) == templates and pooled.mu.dtype == pooled.kappa.dtype == np.float32
    assert (pooled.model, pooled.trained_dim, pooled.paths) == ("net@0", 6, ())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("rows", (1, 5, 13))
def test_blocks_cut_no_template(monkeypatch, rule, rows):
    embeddings = faces(200, seed=4)
    rng = np.random.default_rng(4)
    template, media = rng.integers(0, 25, 200), rng.integers(0, 4, 200)
    whole = pool(embeddings, template, rule, media)
    monkeypatch.setattr(import_module("facepipe.score.pool"), "_ROWS", rows)
    parts = pool(embeddings, template, rule, media)
    np.testing.assert_allclose(parts.mu, whole.mu, rtol=1e-6)
    np.testing.assert_allclose(parts.kappa, whole.kappa, rtol=1e-6)


def test_eq_14_by_hand():
    """Weights 3:1 between two directions at a right angle."""
    embeddings = Embeddings(
        np.array([[5, 0], [0, 0.5]], np.float32), "net@0", kappa=np.array([300, 100], np.float32), trained_dim=2
    )
    pooled = pool(embeddings, np.zeros(2, int), "kappa")
    np.testing.assert_allclose(pooled.mu, [[0.75, 0.25]])
    np.testing.assert_allclose(pooled.kappa, [np.hypot(300, 100)], rtol=1e-6)
    np.testing.assert_allclose(pool(embeddings, np.zeros(2, int), "mean").mu, [[0.5, 0.5]])
    np.testing.assert_allclose(pool(embeddings, np.zeros(2, int), "norm").mu, [[2.5, 0.25]])
    np.testing.assert_allclose(pool(embeddings, np.zeros(2, int), "max").mu, [[1, 1]])


def test_a_long_video_does_not_outvote_a_photo():
    """Nine frames of one direction in one medium, one photo of another: equal parts."""
    embeddings = Embeddings(np.repeat(np.eye(2, dtype=np.float32), (9, 1), axis=0), "net@0")
    media = np.repeat([7, 8], (9, 1))
    np.testing.assert_allclose(pool(embeddings, np.zeros(10, int), "mean", media).mu, [[1, 1]])
    np.testing.assert_allclose(pool(embeddings, np.zeros(10, int), "mean").mu, [[0.9, 0.1]], rtol=1e-6)


def test_the_same_medium_in_two_templates():
    embeddings = faces(4)
    both = pool(embeddings, np.array([0, 0, 1, 1]), "mean", np.array([5, 6, 5, 6]))
    for t in (0, 1):
        alone = pool(embeddings.take([2 * t, 2 * t + 1]), np.zeros(2, int), "mean", np.array([5, 6]))
        np.testing.assert_array_equal(both.mu[t], alone.mu[0])


def test_templates_without_images():
    pooled = pool(faces(2), np.array([1, 1]), "kappa", count=4)
    assert not pooled.mu[[0, 2, 3]].any() and pooled.mu[1].any()
    assert pooled.kappa[0] == 0 and np.isposinf(pooled.sigma2[0]).all() and not pooled.detected[0]
    assert len(pool(faces(0), np.zeros(0, int), "mean")) == 0
    assert len(pool(faces(0), np.zeros(0, int), "mean", count=3)) == 3


def test_one_image_keeps_its_direction_kappa_and_variance():
    embeddings = faces(3, k=6)
    for rule in POOLS:
        pooled = pool(embeddings, np.array([2, 0, 1]), rule).take([2, 0, 1])
        lengths = np.linalg.norm(embeddings.mu, axis=1, keepdims=True)
        expected = embeddings.mu if rule == "norm" else embeddings.mu / lengths
        np.testing.assert_allclose(pooled.mu, expected, rtol=1e-5)
        np.testing.assert_allclose(pooled.kappa, embeddings.kappa, rtol=1e-5)
        np.testing.assert_allclose(pooled.sigma2, embeddings.sigma2, rtol=1e-5)


def test_without_kappa_or_sigma2():
    plain = faces(kappa=None, sigma2=None)
    pooled = pool(plain, np.zeros(30, int), "mean")
    assert pooled.kappa is None and pooled.sigma2 is None
    for rule in ("kappa", "sigma2"):
        with pytest.raises(EmbeddingsError, match=f"net@0 have no {rule}, which pooling by {rule} needs"):
            pool(plain, np.zeros(30, int), rule)


def test_what_does_not_fit():
    embeddings, template = faces(), np.zeros(30, int)
    with pytest.raises(EmbeddingsError, match="'median' is unknown; choose one of mean, norm, max, kappa, sigma2"):
        pool(embeddings, template, "median")
    with pytest.raises(EmbeddingsError, match="for each of 30"):
        pool(embeddings, template[:-1], "mean")
    with pytest.raises(EmbeddingsError, match="for each of 30"):
        pool(embeddings, template, "mean", template[:-1])
    with pytest.raises(EmbeddingsError, match="numbered 0 … T−1, but these run from -1 to -1"):
        pool(embeddings, template - 1, "mean")
    with pytest.raises(EmbeddingsError, match="numbered 0 … 2, but"):
        pool(embeddings, template + 3, "mean", count=3)
    with pytest.raises(EmbeddingsError, match="does not fit 6-d"):
        pool(faces(k=4), template, "sigma2")
