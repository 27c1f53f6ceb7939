"""The strangers' term against its formula longhand, and inside the distillation loss."""

import math

import numpy as np
import pytest
import torch

from facepipe.losses import Distillation, Strangers, strangers_term
from facepipe.losses.strangers import NO_GROUP, close_strangers

N, D = 8, 5
GROUPS = np.array([0, 1, 0, NO_GROUP, 1, 0, NO_GROUP, 2])
RNG = np.random.default_rng(3)
X = RNG.normal(size=(N, D))
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
PAIRS = [(0, 2), (0, 5), (2, 5), (1, 4)]
"""Of one group; the only one of group 2 and those of none have no pair."""


def longhand(unit, margin=0.2, scale=0.07):
    return sum(math.log1p(math.exp((unit[i] @ unit[j] - margin) / scale)) for i, j in PAIRS) / len(PAIRS)


def test_value_is_the_mean_over_pairs_of_one_group():
    got = strangers_term(torch.from_numpy(UNIT), torch.from_numpy(GROUPS), 0.2, 0.07)
    assert got.item() == pytest.approx(longhand(UNIT), rel=1e-12)


def test_gradcheck():
    unit, groups = torch.tensor(UNIT, requires_grad=True), torch.from_numpy(GROUPS)
    assert torch.autograd.gradcheck(lambda u: strangers_term(u, groups, 0.2, 0.07), (unit,))


def test_alone_or_without_a_group_there_is_nothing_to_push():
    unit = torch.tensor(UNIT, requires_grad=True)
    alone, without = torch.arange(N), torch.full((N,), NO_GROUP)
    term = strangers_term(unit, alone, 0.2, 0.07) + strangers_term(unit, without, 0.2, 0.07)
    term.backward()
    assert term.item() == 0 and (unit.grad == 0).all()


def test_share_of_close_pairs():
    above = sum(UNIT[i] @ UNIT[j] > 0.1 for i, j in PAIRS) / len(PAIRS)
    assert close_strangers(torch.from_numpy(UNIT), torch.from_numpy(GROUPS), 0.1).item() == pytest.approx(above)
    assert 0 < above < 1


def of_strangers(weight, trust, relational=0.0):
    targets = torch.from_numpy(np.random.default_rng(4).normal(size=(N, D)))
    strangers = Strangers(torch.from_numpy(GROUPS), weight, 0.2, 0.07, trust)
    return Distillation(
        targets, torch.full((N,), -1), cosine=1.0, relational=relational, strangers=strangers
    ).double(), torch.nn.functional.normalize(targets.float(), dim=1).double().numpy()


@pytest.mark.parametrize("trust", [0.0, 0.3, 1.0])
def test_inside_distillation_the_teacher_counts_less_for_strangers(trust):
    loss, targets = of_strangers(2.0, trust)
    out = loss(torch.from_numpy(3 * X), torch.arange(N), 1)
    weights = np.where(GROUPS == NO_GROUP, 1.0, trust)
    told = (weights * (1 - (UNIT * targets).sum(1))).sum() / weights.sum()
    assert out.loss.item() == pytest.approx(told + 2 * longhand(UNIT), abs=1e-6)
    assert out.logged["strangers"].item() == pytest.approx(longhand(UNIT), abs=1e-9)


def test_the_relational_term_leaves_strangers_out():
    with_them, _ = of_strangers(0.0, 1.0, relational=1.0)
    without, targets = of_strangers(0.0, 1.0)
    rows = torch.arange(N)
    relational = (with_them(torch.from_numpy(X), rows, 1).loss - without(torch.from_numpy(X), rows, 1).loss).item()
    a, b = np.flatnonzero(GROUPS == NO_GROUP)
    assert relational == pytest.approx((UNIT[a] @ UNIT[b] - targets[a] @ targets[b]) ** 2, abs=1e-6)


def test_rows_are_samples_whatever_their_order():
    loss, _ = of_strangers(1.0, 0.5)
    shuffled = np.random.default_rng(0).permutation(N)
    one = loss(torch.from_numpy(X), torch.arange(N), 1).loss
    assert loss(torch.from_numpy(X[shuffled]), torch.from_numpy(shuffled), 1).loss.item() == pytest.approx(one.item())
