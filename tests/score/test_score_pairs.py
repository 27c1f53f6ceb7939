"""Scores of pairs by name, and cosines of pairs both ways: pair by pair and tile by tile."""

from importlib import import_module

import numpy as np
import pytest
from cli_run import run
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.score import SCORES, cosine, pair_cosines, score_pairs
from facepipe.score.pair_scores import register


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
    monkeypatch.setattr(import_module("facepipe.score.cosine"), "_TILE", tile)
    mu = faces().mu
    left, right = np.random.default_rng(1).integers(3, 47, (2, 5000))
    np.testing.assert_allclose(pair_cosines(mu, left, right), cosine(mu[left], mu[right]), atol=1e-14)


def test_many_blocks_of_sparse_pairs(monkeypatch):
    monkeypatch.setattr(import_module("facepipe.score.cosine"), "_PAIRS", 16)
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
    assert set(SCORES) >= {"cosine", "mls", "mls-attention", "scf"}


def test_what_does_not_fit():
    embeddings = faces(n=5)
    with pytest.raises(EmbeddingsError, match=r"unknown score 'l2'; choose one of .*cosine, "):
        score_pairs("l2", embeddings, [0], [1])
    for left, right in (([0], [5]), ([-1], [0])):
        with pytest.raises(EmbeddingsError, match="outside 0 … 4"):
            score_pairs("cosine", embeddings, left, right)
    with pytest.raises(EmbeddingsError, match="of equal length"):
        score_pairs("cosine", embeddings, [0, 1], [0])
    assert score_pairs("cosine", embeddings, [], []).shape == (0,)


@pytest.fixture
def negative_distance():
    """A score that another module adds, as a new file in the folder would."""

    @register("negative-distance", help="minus the distance of the unit vectors", decides=True)
    def score(embeddings, left, right):
        a, b = (embeddings.mu[rows] / np.linalg.norm(embeddings.mu[rows], axis=1)[:, None] for rows in (left, right))
        return -np.linalg.norm(a - b, axis=1)

    yield "negative-distance"
    SCORES.remove("negative-distance")


def test_a_new_score_is_everywhere(negative_distance):
    """In the table, the options with their help, protocols, ablations and the API: nothing else is to be told of it."""
    from facepipe.cli.choices import TableChoice
    from facepipe.protocols import evaluate_pairs
    from facepipe.score.pair_scores import deciding_scores, scores_of
    from facepipe.train.ablation import AblationRow

    embeddings = faces(8)
    cosines = score_pairs("cosine", embeddings, [0, 2], [1, 3])
    np.testing.assert_allclose(score_pairs(negative_distance, embeddings, [0, 2], [1, 3]), -np.sqrt(2 - 2 * cosines))
    assert negative_distance in deciding_scores() and negative_distance in scores_of(embeddings)
    assert AblationRow(title="x", score=negative_distance).score == negative_distance
    assert TableChoice(deciding_scores).convert(negative_distance, None, None) == negative_distance
    for command in ("compare", "identify", "eval lfw"):
        assert "minus the distance of the unit vectors" in " ".join(run(*command.split(), "--help").out.split())
    names = tuple(f"{person}_{number}" for person in "abcd" for number in (1, 2))
    pairs = Pairs(names, np.array([0, 2, 4, 6]), np.array([1, 3, 7, 5]), np.array([1, 1, 0, 0], bool), np.zeros(4, int))
    result = evaluate_pairs(embeddings.with_paths([f"{name}.jpg" for name in names]), pairs, score=negative_distance)
    assert result.settings["score"] == negative_distance and result.auc is not None


def test_an_ablation_cannot_judge_by_an_unknown_score():
    from pydantic import ValidationError

    from facepipe.train.ablation import AblationRow

    with pytest.raises(ValidationError, match=r"must be one of .*cosine, .*mls"):
        AblationRow(title="x", score="l2")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["cosine"])
def test_a_score_that_is_not_finite_is_an_error(name, number):
    wrong = faces()
    wrong.mu[3, 2] = number
    with pytest.raises(EmbeddingsError, match=r"row 3: its score is not finite; check net@0"):
        score_pairs(name, wrong, [0, 3], [1, 4])
    assert len(score_pairs(name, wrong, [0, 2], [1, 4])) == 2
