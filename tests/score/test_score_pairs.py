"""Scores of pairs by name, and cosines of pairs both ways: pair by pair and tile by tile."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score import SCORES, cosine, pair_cosines, score_pairs


def faces(n=50, d=6, seed=0):
    mu = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return Embeddings(mu, "net@0")


@settings(deadline=None)
@given(n=st.integers(1, 60), m=st.integers(0, 200), seed=st.integers(0, 5), in_order=st.booleans())
def test_against_cosine_of_gathered_rows(n, m, seed, in_order):
    """Few rows and many pairs go through the table, many rows and few pairs do not."""
    rng = np.random.default_rng(seed)
    mu = rng.normal(size=(n, 5)).astype(np.float32)
    mu[0] = 0
    left, right = rng.integers(0, n, (2, m))
    left = np.sort(left) if in_order else left
    np.testing.assert_allclose(pair_cosines(mu, left, right), cosine(mu[left], mu[right]), atol=1e-14)


@pytest.mark.parametrize("tile", (1, 7, 64, 100, 1 << 20))
def test_any_height_of_tile(monkeypatch, tile):
    monkeypatch.setattr(import_module("facepipe.score.pair_cosines"), "_TILE", tile)
    mu = faces().mu
    left, right = np.random.default_rng(1).integers(3, 47, (2, 5000))
    np.testing.assert_allclose(pair_cosines(mu, left, right), cosine(mu[left], mu[right]), atol=1e-14)


def test_many_blocks_of_sparse_pairs(monkeypatch):
    monkeypatch.setattr(import_module("facepipe.score.pair_cosines"), "_ROWS", 16)
    mu = faces(n=100).mu
    left = np.arange(99)
    np.testing.assert_allclose(pair_cosines(mu, left, left + 1), cosine(mu[:-1], mu[1:]), atol=1e-14)


def test_any_length_of_row():
    mu = np.array([[1e-30, 0], [1e30, 1e30], [0, 0], [-3, 4]], np.float32)
    got = pair_cosines(mu, np.array([0, 3]), np.array([1, 2]))
    np.testing.assert_allclose(got, [np.sqrt(0.5), 0], atol=1e-7)


def test_by_name():
    embeddings = faces()
    left, right = [0, 3, 9], [4, 3, 0]
    got = score_pairs("cosine", embeddings, left, right)
    np.testing.assert_allclose(got, cosine(embeddings.mu[left], embeddings.mu[right]), atol=1e-14)
    assert SCORES == ("cosine", "scf", "mls", "mls-attention")


def test_what_does_not_fit():
    embeddings = faces(n=5)
    with pytest.raises(EmbeddingsError, match="'l2' is unknown; choose one of cosine, scf, mls"):
        score_pairs("l2", embeddings, [0], [1])
    for left, right in (([0], [5]), ([-1], [0])):
        with pytest.raises(EmbeddingsError, match="outside 0 … 4"):
            score_pairs("cosine", embeddings, left, right)
    with pytest.raises(EmbeddingsError, match="of one length"):
        score_pairs("cosine", embeddings, [0, 1], [0])
    assert score_pairs("cosine", embeddings, [], []).shape == (0,)
