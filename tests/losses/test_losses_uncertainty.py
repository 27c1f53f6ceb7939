"""The losses of PFE and ProbFace against their formulas longhand, and their gradients."""

import math

import losses_longhand as longhand
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe import losses
from facepipe.errors import DatasetError, ModelError

X, _, Y = longhand.batch(n=11)
X = longhand.unit(X)
LABELS = torch.from_numpy(Y)
RNG = np.random.default_rng(5)
VECTOR = RNG.normal(-1, 1, X.shape)
SCALAR = RNG.normal(-1, 1, (len(X), 1))
PAIRS = [(i, j) for i in range(len(Y)) for j in range(len(Y)) if i != j and Y[i] == Y[j]]
DIM = X.shape[1]


def tensors(mu=X, log_sigma2=VECTOR):
    return torch.from_numpy(mu).requires_grad_(), torch.from_numpy(log_sigma2).requires_grad_()


def check(loss, formula, log_sigma2):
    """Value, and the gradients with respect to both arguments by the complex step."""
    mu, log = tensors(X, log_sigma2)
    value = loss(mu, log)
    value.backward()
    assert value.ndim == 0 and value.item() == pytest.approx(formula(X, log_sigma2), abs=1e-10)
    by_log = longhand.gradient(lambda s: formula(X, s), log_sigma2)
    np.testing.assert_allclose(log.grad.numpy(), by_log, atol=1e-10)
    if mu.grad is not None:
        by_mu = longhand.gradient(lambda x: formula(x, log_sigma2), X)
        np.testing.assert_allclose(mu.grad.numpy(), by_mu, atol=1e-10)


def eq3(mu, log_sigma2):
    """−s of PFE's Eq. 3, mean over ordered genuine pairs, one term at a time."""
    total = 0
    for i, j in PAIRS:
        for k in range(DIM):
            s = np.exp(log_sigma2[i, min(k, log_sigma2.shape[1] - 1)])
            s = s + np.exp(log_sigma2[j, min(k, log_sigma2.shape[1] - 1)])
            total = total + 0.5 * ((mu[i, k] - mu[j, k]) ** 2 / s + np.log(s)) + 0.5 * math.log(2 * math.pi)
    return total / len(PAIRS)


def eq5(mu, log_sigma2):
    total = 0
    for i, j in PAIRS:
        s = np.exp(log_sigma2[i, 0]) + np.exp(log_sigma2[j, 0])
        # For unit rows ‖Δ‖² = 2 − 2cos, and their gradients differ only off the sphere.
        total = total + ((mu[i] - mu[j]) ** 2).sum() / s + np.log(s)
    return total / len(PAIRS)


@pytest.mark.parametrize("log_sigma2", [VECTOR, SCALAR], ids=["vector", "scalar"])
def test_mls_sum_is_equation_3(log_sigma2):
    check(lambda mu, log: losses.mls_sum_loss(mu, log, LABELS), eq3, log_sigma2)


@pytest.mark.parametrize("log_sigma2", [VECTOR, SCALAR], ids=["vector", "scalar"])
def test_mls_mean_is_on_probfaces_scale(log_sigma2):
    check(
        lambda mu, log: losses.mls_mean_loss(mu, log, LABELS),
        lambda mu, log: 2 * eq3(mu, log) / DIM - math.log(2 * math.pi),
        log_sigma2,
    )


def test_fast_mls_is_equation_5():
    check(lambda mu, log: losses.fast_mls_loss(mu, log, LABELS), eq5, SCALAR)
    cosine = (X @ X.T)[tuple(zip(*PAIRS, strict=True))]
    total = np.exp(SCALAR[:, 0])[np.array(PAIRS)].sum(1)
    expected = ((2 - 2 * cosine) / total + np.log(total)).mean()
    got = losses.fast_mls_loss(*tensors(X, SCALAR), LABELS).item()
    assert got == pytest.approx(expected, abs=1e-10)


def test_fast_mls_by_hand():
    mu = torch.tensor([[1.0, 0], [0, 1], [1, 0]], dtype=torch.float64)
    log = torch.tensor([[0.25], [0.75], [9.0]], dtype=torch.float64).log()
    got = losses.fast_mls_loss(mu, log, torch.tensor([4, 4, 2]))
    assert got.item() == pytest.approx(2.0, abs=1e-12)  # 2/1 + log 1


def test_scalar_and_vector_agree_where_they_must():
    """With equal σ² in all dimensions Eq. 3 is ½[‖Δ‖²/s + D log s] and a constant."""
    wide = np.repeat(SCALAR, DIM, 1)
    for loss in (losses.mls_sum_loss, losses.mls_mean_loss, losses.uncertainty_triplet):
        assert loss(*tensors(X, wide), LABELS).item() == pytest.approx(loss(*tensors(X, SCALAR), LABELS).item())


def constraint(norm, form):
    """Im of the complex step passes through |x| by the sign of its real part."""

    def formula(_, log_sigma2):
        sigma2 = np.exp(log_sigma2)
        average = sigma2.mean()
        ratio = sigma2 / (np.real(average) if form == "sum" else average) - 1
        size = np.where(np.real(ratio) < 0, -ratio, ratio) if norm == "l1" else ratio**2
        return size.sum() if form == "sum" else size.mean()

    return formula


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("form", ["mean", "sum"])
@pytest.mark.parametrize("log_sigma2", [VECTOR, SCALAR], ids=["vector", "scalar"])
def test_output_constraint(norm, form, log_sigma2):
    check(lambda _, log: losses.output_constraint(log, norm, form), constraint(norm, form), log_sigma2)


def test_output_constraint_by_hand():
    log = torch.tensor([[1.0], [3.0]], dtype=torch.float64).log()
    wanted = {("l1", "mean"): 0.5, ("l2", "mean"): 0.25, ("l1", "sum"): 1.0, ("l2", "sum"): 0.5}
    for (norm, form), value in wanted.items():
        assert losses.output_constraint(log, norm, form).item() == pytest.approx(value)


def test_output_constraint_does_not_see_the_scale():
    log = torch.from_numpy(SCALAR)
    for shift in (-800.0, 800.0):
        for norm in ("l1", "l2"):
            got = losses.output_constraint(log + shift, norm)
            assert got.item() == pytest.approx(losses.output_constraint(log, norm).item())


def distance(mu, log_sigma2, i, j):
    sigma2 = np.exp(log_sigma2)
    return ((mu[i] - mu[j]) ** 2 / (sigma2[i] + sigma2[j])).sum()


def triplet(margin):
    def formula(mu, log_sigma2):
        total = 0
        for a, p in PAIRS:
            d_ap = distance(mu, log_sigma2, a, p)
            negatives = [distance(mu, log_sigma2, a, n) for n in range(len(Y)) if Y[n] != Y[a]]
            farther = [d for d in negatives if np.real(d) > np.real(d_ap)]
            chosen = min(farther, key=np.real) if farther else max(negatives, key=np.real)
            total = total + longhand.positive_part(d_ap - chosen + margin)
        return total / len(PAIRS)

    return formula


@pytest.mark.parametrize("log_sigma2", [VECTOR, SCALAR], ids=["vector", "scalar"])
@pytest.mark.parametrize("margin", [0.3, 3.0])
def test_uncertainty_triplet(log_sigma2, margin):
    check(lambda mu, log: losses.uncertainty_triplet(mu, log, LABELS, margin), triplet(margin), log_sigma2)


def test_triplet_meets_both_kinds_of_negatives():
    kinds = set()
    for a, p in PAIRS:
        d_ap = distance(X, SCALAR, a, p)
        kinds.add(any(distance(X, SCALAR, a, n) > d_ap for n in range(len(Y)) if Y[n] != Y[a]))
    assert kinds == {True, False}


def test_log_is_what_probface_watches():
    got = {name: value.item() for name, value in losses.uncertainty_log(*tensors(X, SCALAR), LABELS).items()}
    others = [(i, j) for i in range(len(Y)) for j in range(len(Y)) if Y[i] != Y[j]]
    assert got == pytest.approx(
        {
            "genuine_distance": np.mean([distance(X, SCALAR, i, j) for i, j in PAIRS]),
            "impostor_distance": np.mean([distance(X, SCALAR, i, j) for i, j in others]),
            "sigma2_min": np.exp(SCALAR).min(),
            "sigma2_max": np.exp(SCALAR).max(),
        }
    )


ALL = {
    "mls_sum_loss": losses.mls_sum_loss,
    "mls_mean_loss": losses.mls_mean_loss,
    "fast_mls_loss": losses.fast_mls_loss,
    "uncertainty_triplet": losses.uncertainty_triplet,
    "output_constraint": lambda mu, log, labels: losses.output_constraint(log),
    "output_constraint_sum": lambda mu, log, labels: losses.output_constraint(log, "l2", "sum"),
}


# The released constraint holds the average constant, which finite differences do not: longhand above covers it.
@pytest.mark.parametrize("name", [name for name in ALL if name != "output_constraint_sum"])
def test_gradcheck(name):
    mu, log = tensors(X, SCALAR)
    assert torch.autograd.gradcheck(lambda m, s: ALL[name](m, s, LABELS), (mu, log))


@pytest.mark.parametrize("name", list(ALL))
def test_dtypes(name):
    """16-bit input is computed in float32, under autocast too; float64 stays."""
    mu, log = torch.from_numpy(X), torch.from_numpy(SCALAR)
    exact = ALL[name](mu, log, LABELS)
    assert exact.dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = ALL[name](mu.float(), log.float(), LABELS)
    assert single.dtype == torch.float32 and single.item() == pytest.approx(exact.item(), rel=2e-5)
    assert ALL[name](mu.bfloat16(), log.bfloat16(), LABELS).dtype == torch.float32


@pytest.mark.parametrize("name", ["mls_sum_loss", "mls_mean_loss", "fast_mls_loss", "uncertainty_triplet"])
@pytest.mark.parametrize("labels", [[0, 1, 2], [], [7]])
def test_batches_without_a_genuine_pair(name, labels):
    mu, log = torch.eye(3)[: len(labels)].requires_grad_(), torch.zeros(len(labels), 1).requires_grad_()
    value = ALL[name](mu, log, torch.tensor(labels, dtype=torch.int64))
    value.backward()
    assert value.item() == 0 and (log.grad == 0).all()


def test_one_identity_has_no_triplet():
    assert losses.uncertainty_triplet(torch.eye(3), torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64)).item() == 0


@pytest.mark.parametrize("name", ["mls_sum_loss", "fast_mls_loss", "uncertainty_triplet"])
def test_coinciding_images_and_extreme_uncertainties_stay_finite(name):
    mu = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], requires_grad=True)
    for level in (-80.0, 80.0):
        log = torch.full((4, 1), level, requires_grad=True)
        value = ALL[name](mu, log, torch.tensor([0, 0, 1, 1]))
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(log.grad).all() and torch.isfinite(mu.grad).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 8))
def test_order_of_the_batch_does_not_matter(seed, count):
    rng = np.random.default_rng(seed)
    mu = longhand.unit(rng.normal(size=(count, 3)))
    log, labels, order = rng.normal(size=(count, 1)), rng.integers(0, 3, count), rng.permutation(count)
    for loss in ALL.values():
        there = loss(*map(torch.from_numpy, (mu, log, labels)))
        back = loss(*map(torch.from_numpy, (mu[order], log[order], labels[order])))
        assert back.item() == pytest.approx(there.item(), abs=1e-9)


def test_more_uncertainty_makes_a_bad_pair_cheaper_and_a_good_one_dearer():
    mu = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]])
    low, high = torch.full((4, 1), -1.0), torch.full((4, 1), 1.0)
    for pair, cheaper in ((slice(0, 2), True), (slice(2, 4), False)):
        same = torch.zeros(2, dtype=torch.int64)
        a, b = (losses.fast_mls_loss(mu[pair], log[pair], same).item() for log in (low, high))
        assert (b < a) == cheaper


def test_shapes_are_checked():
    mu, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ModelError, match=r"log σ² of shape \(4, 3\) for embeddings of shape 4×4"):
        losses.mls_sum_loss(mu, torch.zeros(4, 3), labels)
    with pytest.raises(ModelError, match="log σ² of shape"):
        losses.uncertainty_triplet(mu, torch.zeros(4), labels)
    with pytest.raises(ModelError, match="FastMLS takes one σ² per face, not 4"):
        losses.fast_mls_loss(mu, torch.zeros(4, 4), labels)
    with pytest.raises(DatasetError, match="one integer class index per feature"):
        losses.mls_mean_loss(mu, torch.zeros(4, 1), labels[:3])
