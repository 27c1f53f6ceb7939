"""The order of samples and the numbers for augmentation: pure functions of (seed, epoch, sample)."""

import numpy as np
import pytest

from facepipe.train.data.loader import Share
from facepipe.train.data.order import Order, uniforms


def test_every_epoch_is_a_permutation_of_its_own():
    order = Order(10, seed=1)
    indices, epochs = order.at(0, 30)
    assert epochs.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    for epoch in range(3):
        assert sorted(indices[epoch * 10 : epoch * 10 + 10]) == list(range(10))
    assert indices[:10].tolist() != indices[10:20].tolist()
    assert Order(10, seed=2).at(0, 10)[0].tolist() != indices[:10].tolist()


def test_any_stretch_is_a_piece_of_the_same_order():
    whole = Order(7, seed=5).at(0, 70)[0]
    order = Order(7, seed=5)
    for first, count in [(60, 10), (0, 3), (33, 20), (5, 1)]:
        assert (order.at(first, count)[0] == whole[first : first + count]).all()


@pytest.mark.parametrize(("ranks", "micro_batches"), [(1, 1), (2, 1), (1, 4), (2, 3), (4, 2)])
def test_a_step_has_the_same_samples_however_it_is_divided(ranks, micro_batches):
    batch = 24 // ranks // micro_batches
    for step in (0, 5):
        taken = []
        for rank in range(ranks):
            share = Share(batch, micro_batches, rank, ranks)
            assert share.samples_per_step == 24
            for part in range(micro_batches):
                first = share.first_position(step, part)
                taken += range(first, first + batch)
        assert sorted(taken) == list(range(step * 24, step * 24 + 24))


def splitmix(state):
    """SplitMix64's finaliser in Python's integers."""
    state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) % 2**64
    state = ((state ^ state >> 27) * 0x94D049BB133111EB) % 2**64
    return state ^ state >> 31


@pytest.mark.parametrize(("seed", "epoch", "index"), [(0, 0, 0), (1, 2, 3), (2**63, 10**6, 10**9)])
def test_uniforms_longhand(seed, epoch, index):
    golden = 0x9E3779B97F4A7C15
    state = splitmix((seed + golden) % 2**64)
    state = splitmix((state + epoch * golden) % 2**64)
    state = splitmix((state + index * golden) % 2**64)
    expected = [(splitmix((state + k * golden) % 2**64) >> 11) / 2**53 for k in range(1, 6)]
    assert uniforms(seed, np.array([epoch]), np.array([index]), 5)[0].tolist() == expected


def test_uniforms_are_uniform_and_independent():
    numbers = uniforms(3, np.zeros(20000, np.int64), np.arange(20000), 8)
    assert numbers.min() >= 0 and numbers.max() < 1
    # Standard errors: 0.289/√20000 = 0.002 for a mean, 1/√20000 = 0.007 for a correlation.
    assert abs(numbers.mean(0) - 0.5).max() < 0.01
    assert abs(numbers.var(0) - 1 / 12).max() < 0.005
    columns = np.concatenate([numbers, uniforms(3, np.ones(20000, np.int64), np.arange(20000), 8)], axis=1)
    correlation = np.corrcoef(columns.T) - np.eye(16)
    assert abs(correlation).max() < 0.04
