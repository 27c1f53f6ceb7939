"""Eq. 13 of SCF against golden values, mpmath, and the integral that it stands for."""

import math

import numpy as np
import pytest
import torch
import vmf_longhand as exact
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score import scf, scf_pairs, score_pairs, unit
from facepipe.vmf import log_density


def longhand(kappa_a, kappa_b, cosine, d, radius):
    a, b, c = exact.mpf(kappa_a), exact.mpf(kappa_b), exact.mpf(cosine)
    both = exact.mp.sqrt(a**2 + b**2 + 2 * a * b * c)
    return exact.log_c(d, kappa_a) + exact.log_c(d, kappa_b) - exact.log_c(d, both) - d * exact.log(radius)


def faces(n=40, d=16, seed=0, **other):
    rng = np.random.default_rng(seed)
    fields = {"kappa": rng.uniform(5, 900, n).astype(np.float32), "trained_dim": d} | other
    return Embeddings(rng.normal(size=(n, d)).astype(np.float32) * 20, "net@0", **fields)


@pytest.mark.parametrize(
    ("kappa_a", "kappa_b", "cosine", "score"),
    [(700, 700, 0.6, -1155.438674), (300, 1200, 0.5, -1195.093403), (1200, 300, 0.5, -1195.093403)],
)
def test_golden_values(kappa_a, kappa_b, cosine, score):
    got = scf(np.array([kappa_a]), np.array([kappa_b]), np.array([cosine]), 512, 64.0)
    assert got.dtype == np.float64 and got[0] == pytest.approx(score, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    d=st.sampled_from([2, 3, 64, 256, 512]), exponents=st.tuples(st.floats(-2, 5), st.floats(-2, 5)),
    cosine=st.floats(-1, 1), radius=st.sampled_from([1.0, 64.0]),
)
def test_against_mpmath(d, exponents, cosine, radius):
    a, b = (10.0**exponent for exponent in exponents)
    got = scf(np.array([a]), np.array([b]), np.array([cosine]), d, radius)[0]
    assert got == pytest.approx(float(longhand(a, b, cosine, d, radius)), abs=1e-12 * max(2000, a, b))


def test_where_the_means_cancel():
    """κ₁μ₁ = −κ₂μ₂: the product of the two densities is uniform, κ̃ = 0."""
    got = scf(np.array([300.0]), np.array([300.0]), np.array([-1.0]), 512)[0]
    assert got == pytest.approx(float(longhand(300, 300, -1, 512, 64)), rel=1e-12)


def test_it_is_the_log_of_the_integral():
    """∫ p(z|x₁) p(z|x₂) dz on the unit sphere in three dimensions, by a fine grid."""
    kappa_a, kappa_b, angle = 3.0, 7.0, 0.9
    height, turn = np.meshgrid(
        (np.arange(400) + 0.5) / 200 - 1, np.linspace(0, 2 * np.pi, 400, endpoint=False), indexing="ij"
    )
    along = np.sqrt(1 - height**2) * np.cos(turn)
    cosines = (height, math.cos(angle) * height + math.sin(angle) * along)
    densities = [
        log_density(3, torch.tensor(kappa, dtype=torch.float64), torch.from_numpy(cosine)).exp().numpy()
        for kappa, cosine in zip((kappa_a, kappa_b), cosines, strict=True)
    ]
    integral = (densities[0] * densities[1]).sum() * (2 / 400) * (2 * np.pi / 400)
    got = scf(np.array([kappa_a]), np.array([kappa_b]), np.array([math.cos(angle)]), 3, radius=1.0)[0]
    assert got == pytest.approx(math.log(integral), abs=1e-4)


def test_confidence_counts_both_ways():
    """κ 255 → 2000 on both sides lowers the score at cosine 0.2 and raises it at 0.8."""
    low, high = np.full(2, 255.0), np.full(2, 2000.0)
    change = scf(high, high, np.array([0.2, 0.8]), 512) - scf(low, low, np.array([0.2, 0.8]), 512)
    assert change[0] < 0 < change[1]


def test_pairs_of_rows():
    embeddings = faces()
    left, right = np.random.default_rng(1).integers(0, 40, (2, 300))
    u = unit(embeddings.mu)
    expected = scf(embeddings.kappa[left], embeddings.kappa[right], (u[left] * u[right]).sum(1), 16, 10.0)
    np.testing.assert_allclose(scf_pairs(embeddings, left, right, 10.0), expected, rtol=1e-12)
    shift = 16 * (math.log(10) - math.log(64))
    np.testing.assert_allclose(score_pairs("scf", embeddings, left, right), expected + shift, rtol=1e-12)


def test_more_pairs_than_one_block():
    embeddings = faces(n=300, d=4)
    left, right = (x.ravel() for x in np.meshgrid(np.arange(300), np.arange(300)))
    got = scf_pairs(embeddings, left, right).reshape(300, 300)
    np.testing.assert_allclose(got, got.T, rtol=1e-11)
    alone = scf_pairs(embeddings, np.array([299]), np.array([298]))[0]
    assert got[298, 299] == pytest.approx(alone, rel=1e-11)


def test_d_is_the_dimension_of_training():
    """Flip concatenation doubles mu, not d."""
    single = faces(d=8)
    double = Embeddings(np.tile(single.mu, 2), "net@0", "concat", kappa=single.kappa, trained_dim=8)
    left, right = np.arange(20), np.arange(20, 40)
    np.testing.assert_allclose(scf_pairs(double, left, right), scf_pairs(single, left, right), rtol=1e-12)


def test_what_is_missing_is_named():
    rows = np.array([0])
    with pytest.raises(EmbeddingsError, match="net@0 have no kappa"):
        score_pairs("scf", faces(kappa=None), rows, rows)
    with pytest.raises(EmbeddingsError, match="not the dimension"):
        score_pairs("scf", faces(trained_dim=0), rows, rows)
