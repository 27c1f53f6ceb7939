"""Angles of pairs against every pair written out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import EmbeddingsError
from facepipe.score.angles import _different_pairs, _same_pairs, pair_angles


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=40))
def test_all_same_pairs_once(people):
    identity = np.array(people)
    left, right = _same_pairs(identity, 10_000, np.random.default_rng(0))
    expected = {(i, j) for i, j in combinations(range(len(people)), 2) if people[i] == people[j]}
    assert {tuple(sorted(pair)) for pair in zip(left.tolist(), right.tolist(), strict=True)} == expected
    assert len(left) == len(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=12).filter(lambda people: len(set(people)) > 1))
def test_different_pairs_reach_every_pair_and_only_those(people):
    identity = np.array(people)
    left, right = _different_pairs(identity, 4000, np.random.default_rng(1))
    assert (identity[left] != identity[right]).all()
    reached = set(zip(left.tolist(), right.tolist(), strict=True))
    n = len(people)
    assert reached == {(i, j) for i in range(n) for j in range(n) if people[i] != people[j]}


def test_limit_takes_distinct_pairs():
    left, right = _same_pairs(np.zeros(200, int), 500, np.random.default_rng(0))
    assert len(set(zip(left.tolist(), right.tolist(), strict=True))) == 500
    assert (left != right).all()


def test_last_pair_of_a_large_person():
    # Where the square root of the pair's number rounds.
    count = 60_000
    identity = np.zeros(count, np.int64)

    class Last:
        def choice(self, total, limit, replace):
            return np.array([0, total - 2, total - 1])

    left, right = _same_pairs(identity, 3, Last())
    assert left.tolist() == [1, count - 1, count - 1]
    assert right.tolist() == [0, count - 3, count - 2]


def test_angles():
    mu = np.array([[1.0, 0], [0, 2.0], [-3.0, 0], [1, 1]])
    found = pair_angles(mu, np.array([0, 0, 1, 1]), limit=1000)
    assert sorted(found.same.round(9).tolist()) == [90, 135]
    assert set(found.different.round(9).tolist()) == {180, 45, 90}


def test_nothing_to_show():
    mu = np.eye(3)
    with pytest.raises(EmbeddingsError, match="no identity has two images"):
        pair_angles(mu, np.arange(3))
    with pytest.raises(EmbeddingsError, match="all images are of one identity"):
        pair_angles(mu, np.zeros(3, int))
