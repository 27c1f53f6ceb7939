"""Batches of identities × images: who comes when, a pure function of the position."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.train.data.balanced_order import BalancedOrder


def labels_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    per_class=st.integers(2, 5),
    groups=st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_every_step_has_identities_times_images(counts, per_class, groups, seed):
    labels = labels_of(counts)
    order = BalancedOrder(labels, seed, per_class, per_class * groups)
    size = per_class * groups
    for step in range(6):
        indices, epochs = order.at(step * size, size)
        drawn = labels[indices].reshape(groups, per_class)
        assert (drawn == drawn[:, :1]).all()
        if len(counts) >= groups:
            assert len(set(drawn[:, 0])) == groups
        for group, who in zip(indices.reshape(groups, per_class), drawn[:, 0], strict=True):
            assert len(set(group)) == min(per_class, counts[who])
        assert len(set(zip(indices.tolist(), epochs.tolist(), strict=True))) == size


def test_any_part_of_the_order_is_the_same_part():
    labels = labels_of([5, 3, 8, 4, 4, 6, 7])
    whole = BalancedOrder(labels, 3, 4, 12).at(0, 240)
    again = BalancedOrder(labels, 3, 4, 12)
    for first, count in ((100, 17), (0, 3), (239, 1), (11, 12)):
        for ours, theirs in zip(again.at(first, count), whole, strict=True):
            assert (ours == theirs[first : first + count]).all()
    assert (BalancedOrder(labels, 4, 4, 12).at(0, 240)[0] != whole[0]).any()


def test_identities_come_equally_often_and_all_images_come():
    counts = [40, 2, 9, 4]
    labels = labels_of(counts)
    indices, _ = BalancedOrder(labels, 0, 4, 16).at(0, 16 * 200)
    assert np.bincount(labels[indices]).tolist() == [800] * 4
    times = np.bincount(indices, minlength=len(labels))
    for who, count in enumerate(counts):
        # A binomial share of 800: within five standard deviations.
        assert times[labels == who] == pytest.approx(800 / count, abs=5 * np.sqrt(800 / count))


def test_samples_without_identity_are_left_out():
    labels = np.array([0, -1, 1, 0, -1, 1])
    indices, _ = BalancedOrder(labels, 0, 2, 4).at(0, 40)
    assert set(indices) == {0, 2, 3, 5}
