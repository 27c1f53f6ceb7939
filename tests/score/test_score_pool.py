"""Pooling of templates against slow loops over templates, media and images."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score import MEDIA_WEIGHTS, POOLINGS, cosine, pool, threshold_at_far
from facepipe.score.groups import starts
from facepipe.score.poolings import Pooling

RULES = ("mean", "norm", "max", "kappa", "sigma2", "sigma2-mean")
WEIGHED = ("kappa", "sigma2", "sigma2-mean")


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


def weight_of(embeddings, row, rule, temperature=1):
    if rule == "kappa":
        return np.full(embeddings.dim, float(embeddings.kappa[row]) ** (1 / temperature))
    if rule in ("sigma2", "sigma2-mean"):
        repeats = embeddings.dim // embeddings.sigma2.shape[1]
        inverse = 1 / embeddings.sigma2[row].astype(float)
        if rule == "sigma2-mean":  # as ProbFace's program writes it
            inverse = np.exp(np.log(inverse + 1e-6) / temperature)
        else:
            inverse = inverse ** (1 / temperature)
        return np.tile(inverse, repeats)
    return np.ones(embeddings.dim)


def slow_mean(embeddings, rows, rule, temperature=1):
    total, weights = np.zeros(embeddings.dim), np.zeros(embeddings.dim)
    for row in rows:
        mu = embeddings.mu[row].astype(float)
        vector = mu if rule == "norm" else mu / np.sqrt((mu * mu).sum())
        total += weight_of(embeddings, row, rule, temperature) * vector
        weights += weight_of(embeddings, row, rule, temperature)
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


def slow_together(embeddings, groups, rule, temperature):
    """Media, each counting what its images weigh together."""
    total, weights = np.zeros(embeddings.dim), np.zeros(embeddings.dim)
    for group in groups:
        weight = sum(weight_of(embeddings, row, rule, temperature) for row in group)
        total += weight * slow_mean(embeddings, group, rule, temperature)
        weights += weight
    return total / weights


def slow_variance(sigma2, rule, temperature):
    """sigma2: the template's, n×K."""
    if rule == "sigma2-mean":
        weight = np.exp(np.log(1 / sigma2 + 1e-6) / temperature)
        return (weight / weight.sum(0) * sigma2).sum(0)
    return 1 / (1 / sigma2).sum(0)


def slow_pool(embeddings, template, rule, media, count, media_weights="together", temperature=1):
    mu, kappa = np.zeros((count, embeddings.dim)), np.zeros(count)
    for t in range(count):
        rows = [row for row in range(len(embeddings)) if template[row] == t]
        if not rows:
            continue
        groups = slow_groups(rows, media)
        if rule == "max":
            mu[t] = np.max([slow_mean(embeddings, group, "mean") for group in groups], axis=0)
        elif media is None:
            mu[t] = slow_mean(embeddings, rows, rule, temperature)
        elif rule in WEIGHED and media_weights == "together":
            mu[t] = slow_together(embeddings, groups, rule, temperature)
        else:
            mu[t] = sum(slow_mean(embeddings, group, rule, temperature) for group in groups)
        kappa[t] = np.sqrt((sum(slow_natural(embeddings, group) for group in groups) ** 2).sum())
    return mu, kappa


@settings(deadline=None, max_examples=60)
@given(
    rule=st.sampled_from(RULES), n=st.integers(1, 40), templates=st.integers(1, 12), with_media=st.booleans(),
    k=st.sampled_from([1, 3, 6]), seed=st.integers(0, 3), media_weights=st.sampled_from(MEDIA_WEIGHTS),
    temperature=st.sampled_from([0.5, 1, 4]), one_each=st.booleans(),
)
def test_against_loops(rule, n, templates, with_media, k, seed, media_weights, temperature, one_each):
    embeddings = faces(n, k=k, seed=seed)
    rng = np.random.default_rng(seed)
    template = rng.integers(0, templates, n)
    media = (np.arange(n) if one_each else rng.integers(-3, 4, n) * 1000) if with_media else None
    mu, kappa = slow_pool(embeddings, template, rule, media, templates, media_weights, temperature)
    pooled = pool(embeddings, template, rule, media, templates, media_weights, temperature)
    np.testing.assert_allclose(pooled.mu, mu, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(pooled.kappa, kappa, rtol=1e-5)
    for t in range(templates):
        rows = template == t
        assert pooled.detected[t] == embeddings.detected[rows].any()
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = slow_variance(embeddings.sigma2[rows].astype(float), rule, temperature)
            np.testing.assert_allclose(pooled.sigma2[t], expected if rows.any() else np.inf, rtol=1e-5)
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


@settings(deadline=None, max_examples=40)
@given(rule=st.sampled_from(WEIGHED), seed=st.integers(0, 99), by=st.floats(0.01, 10), k=st.sampled_from([1, 6]))
def test_weights_reach_across_media(rule, seed, by, k):
    """Whatever the media: Eq. 14 over all images; the order, a common factor, a copy of all images change nothing."""
    embeddings = faces(12, k=k, seed=seed)
    rng = np.random.default_rng(seed)
    template, media = rng.integers(0, 3, 12), rng.integers(0, 4, 12)
    got = pool(embeddings, template, rule, media, 3).mu
    np.testing.assert_array_equal(got, pool(embeddings, template, rule, None, 3).mu)
    order = rng.permutation(12)
    np.testing.assert_allclose(pool(embeddings.take(order), template[order], rule, media[order], 3).mu, got, atol=1e-6)
    twice = np.tile(np.arange(12), 2)
    np.testing.assert_allclose(pool(embeddings.take(twice), template[twice], rule, media[twice], 3).mu, got, atol=1e-6)
    scaled = replace(embeddings, kappa=embeddings.kappa * by, sigma2=embeddings.sigma2 * by, mu=embeddings.mu * by)
    np.testing.assert_allclose(pool(scaled, template, rule, media, 3).mu, got, atol=5e-5)


@settings(deadline=None, max_examples=30)
@given(rule=st.sampled_from(WEIGHED), seed=st.integers(0, 99))
def test_temperature(rule, seed):
    """A hot one weighs evenly, a cold one takes the surest image alone."""
    embeddings = faces(6, seed=seed)
    one = np.zeros(6, int)
    plain = pool(embeddings, one, "mean").mu
    np.testing.assert_allclose(pool(embeddings, one, rule, temperature=1e7).mu, plain, atol=1e-5)
    surest = int(embeddings.kappa.argmax() if rule == "kappa" else embeddings.sigma2.argmin())
    unit_mu = embeddings.mu[surest] / np.linalg.norm(embeddings.mu[surest])
    weights = np.array([weight_of(embeddings, row, rule)[0] for row in range(6)])
    cold = 0.01
    if np.sort(weights)[-2] / weights.max() < 0.9:
        np.testing.assert_allclose(pool(embeddings, one, rule, temperature=cold).mu[0], unit_mu, atol=1e-3)


def test_one_still_per_medium():
    """Four stills a template, each its own medium, from clear to ruined: weights normalised inside media are lost."""
    rng = np.random.default_rng(0)
    people, dim, stills = 400, 32, 4
    centres = rng.normal(size=(people, dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    template = np.repeat(np.arange(2 * people), stills)
    kappa = np.exp(rng.uniform(np.log(2), np.log(100), len(template)))
    mu = centres[template % people] + rng.normal(size=(len(template), dim)) / np.sqrt(kappa)[:, None]
    embeddings = Embeddings(
        mu.astype(np.float32), "net@0", kappa=kappa.astype(np.float32), sigma2=(1 / kappa[:, None]).astype(np.float32)
    )
    left, right = (grid.ravel() for grid in np.meshgrid(np.arange(people), np.arange(people), indexing="ij"))

    def tar(rule, media_weights="together"):
        pooled = pool(embeddings, template, rule, np.arange(len(template)), media_weights=media_weights)
        scores = cosine(pooled.mu[left], pooled.mu[people + right])
        genuine = scores[left == right]
        return (genuine >= threshold_at_far(scores[left != right], 1e-4)).mean()

    plain = tar("mean")
    assert plain < 0.65
    for rule in WEIGHED:
        assert tar(rule) > 0.8, rule
        assert tar(rule, "equal") == plain, rule


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
    for rule in POOLINGS:
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
        with pytest.raises(EmbeddingsError, match=f"net@0 have no {rule}, which pooling {rule} needs"):
            pool(plain, np.zeros(30, int), rule)


def test_what_does_not_fit():
    embeddings, template = faces(), np.zeros(30, int)
    with pytest.raises(EmbeddingsError, match="unknown pooling rule 'median'; did you mean 'mean'"):
        pool(embeddings, template, "median")
    with pytest.raises(EmbeddingsError, match="for each of 30"):
        pool(embeddings, template[:-1], "mean")
    with pytest.raises(EmbeddingsError, match="for each of 30"):
        pool(embeddings, template, "mean", template[:-1])
    with pytest.raises(EmbeddingsError, match="numbered 0 … T−1, but these are numbered -1 … -1"):
        pool(embeddings, template - 1, "mean")
    with pytest.raises(EmbeddingsError, match="numbered 0 … 2, but"):
        pool(embeddings, template + 3, "mean", count=3)
    with pytest.raises(EmbeddingsError, match="does not match 6-d"):
        pool(faces(k=4), template, "sigma2")
    with pytest.raises(EmbeddingsError, match="media weights 'old' are unknown; choose one of together, equal"):
        pool(embeddings, template, "kappa", media_weights="old")
    with pytest.raises(EmbeddingsError, match="temperature must be above 0, not 0"):
        pool(embeddings, template, "kappa", temperature=0)


@pytest.fixture
def smallest():
    """A rule that another module adds, as a new file in the folder would."""

    def join(mu, scale, weight, inner, outer):
        return np.minimum.reduceat(mu * scale, starts(outer))

    POOLINGS.add("smallest", Pooling("the smallest value in each dimension", join=join))
    yield "smallest"
    POOLINGS.remove("smallest")


def test_a_new_rule_is_everywhere(smallest):
    """In the table, the options with their help and the protocols: nothing else is to be told of it."""
    from cli_run import run

    from facepipe.protocols.ijb.template_pooling import TemplateRecipe, template_poolings

    embeddings = faces(4)
    units = embeddings.mu / np.linalg.norm(embeddings.mu, axis=1, keepdims=True)
    pooled = pool(embeddings, np.array([1, 0, 1, 1]), smallest)
    np.testing.assert_allclose(pooled.mu, [units[1], units[[0, 2, 3]].min(0)], rtol=1e-6)
    assert smallest in template_poolings() and TemplateRecipe(smallest).settings()["temperature"] is None
    for command in ("ytf", "ijb"):
        assert "smallest: the smallest value in each" in " ".join(run("eval", command, "--help").out.split())


def test_probface_adds_a_millionth_to_what_a_face_weighs():
    """Of two hopeless faces the worse one does not vanish: 10⁻⁶ + 10⁻⁶ against 10⁻¹² + 10⁻⁶."""
    hopeless = replace(faces(2), mu=np.eye(2, 6, dtype=np.float32), sigma2=np.array([[1e6], [1e12]], np.float32))
    pooled = pool(hopeless, np.zeros(2, int), "sigma2-mean")
    np.testing.assert_allclose(pooled.mu[0, :2], [2 / 3, 1 / 3], rtol=1e-5)
    np.testing.assert_allclose(pool(hopeless, np.zeros(2, int), "sigma2").mu[0, 1], 1e-6, rtol=1e-3)
