"""The angular Fisher score against its definition longhand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import EmbeddingsError
from facepipe.losses import AngularFisher, angular_fisher_score


def longhand(features, labels):
    def cosine(a, b):
        inner = sum(p * q for p, q in zip(a, b, strict=True))
        return inner / math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))

    overall = features.mean(0)
    within = between = 0.0
    for identity in sorted(set(labels.tolist())):
        own = features[labels == identity]
        mean = own.mean(0)
        within += sum(1 - cosine(x, mean) for x in own)
        between += len(own) * (1 - cosine(mean, overall))
    return within / between


def data(n=40, d=6, identities=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % identities) * 7 - 3
    return rng.normal(size=(n, d)) + 2 * rng.normal(size=(identities, d))[(labels + 3) // 7], labels


@pytest.mark.parametrize("seed", range(5))
def test_against_the_definition(seed):
    features, labels = data(seed=seed)
    assert angular_fisher_score(features, labels) == pytest.approx(longhand(features, labels), rel=1e-12)


def test_by_hand():
    # Two people at right angles, each ±45° around its axis: S_w = 4(1−√½), S_b = 4(1−√½).
    features = np.array([[1.0, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]])
    assert angular_fisher_score(features, np.array([0, 0, 1, 1])) == pytest.approx(1)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 39), max_size=4), st.floats(0.01, 100))
def test_batches_order_and_scale_do_not_matter(cuts, scale):
    features, labels = data()
    order = np.random.default_rng(len(cuts)).permutation(len(labels))
    fisher = AngularFisher()
    for part in np.split(order, sorted(cuts)):
        fisher.update(scale * features[part], labels[part])
    assert fisher.score() == pytest.approx(longhand(features, labels), rel=1e-10)


def test_tensors_of_any_dtype():
    features, labels = data()
    half = torch.from_numpy(features).bfloat16().requires_grad_()
    expected = longhand(half.detach().double().numpy(), labels)
    assert angular_fisher_score(half, torch.from_numpy(labels)) == pytest.approx(expected, rel=1e-12)


def test_tighter_identities_score_lower():
    features, labels = data()
    means = np.stack([features[labels == label].mean(0) for label in labels])
    assert angular_fisher_score(features + 3 * means, labels) < angular_fisher_score(features, labels)


def test_errors_name_what_to_give():
    features, labels = data()
    with pytest.raises(EmbeddingsError, match="two identities"):
        angular_fisher_score(features, np.zeros(len(labels), dtype=int))
    with pytest.raises(EmbeddingsError, match="N×D"):
        angular_fisher_score(features, labels[1:])
    fisher = AngularFisher()
    fisher.update(features, labels)
    with pytest.raises(EmbeddingsError, match="same D"):
        fisher.update(features[:, 1:], labels)


def test_one_direction_for_all_is_infinite():
    assert angular_fisher_score(np.eye(3)[[0, 0, 0]], np.array([0, 1, 1])) == math.inf
