"""Contrastive, triplet and center loss against their formulas longhand."""

import losses_longhand as longhand
import numpy as np
import pytest
import torch

from facepipe import losses

X, W, Y = longhand.batch(n=11)
LABELS = torch.from_numpy(Y)


def check(loss, formula):
    loss = loss.double()
    x = torch.from_numpy(X).requires_grad_()
    output = loss(x, LABELS, 1)
    output.loss.backward()
    assert output.loss.item() == pytest.approx(formula(X), abs=1e-10)
    np.testing.assert_allclose(x.grad.numpy(), longhand.gradient(formula, X), atol=1e-10)
    return output


def squared(a, b):
    return ((a - b) ** 2).sum()


def contrastive(x, m, normalised):
    points = longhand.unit(x) if normalised else x
    total, count = 0, 0
    for i in range(len(Y)):
        for j in range(i + 1, len(Y)):
            d = np.sqrt(squared(points[i], points[j]))
            total = total + (0.5 * d**2 if Y[i] == Y[j] else 0.5 * longhand.positive_part(m - d) ** 2)
            count += 1
    return total / count


@pytest.mark.parametrize(("m", "normalised"), [(1.0, True), (1.9, True), (3.0, False)])
def test_contrastive(m, normalised):
    loss = losses.create("contrastive", 4, 5, m=m, normalised=normalised, softmax=False)
    assert not list(loss.parameters())
    check(loss, lambda x: contrastive(x, m, normalised))


def test_contrastive_logs_mean_distances():
    loss = losses.create("contrastive", 2, 3, softmax=False, normalised=False).double()
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    output = loss(x, torch.tensor([0, 0, 1]), 1)
    assert output.logged["genuine_distance"].item() == pytest.approx(5)
    assert output.logged["impostor_distance"].item() == pytest.approx((1 + np.sqrt(18)) / 2)
    assert output.loss.item() == pytest.approx(12.5 / 3)


def test_contrastive_beside_softmax():
    loss = losses.create("contrastive", 4, 5, weight=0.3).double()
    w = loss.identification.classes.weight.detach().numpy()

    def formula(x):
        return longhand.cross_entropy(x @ w.T, Y) + 0.3 * contrastive(x, 1.0, True)

    output = check(loss, formula)
    assert output.logged["metric"].item() == pytest.approx(contrastive(X, 1.0, True))
    assert output.logged["identification"].item() == pytest.approx(longhand.cross_entropy(X @ w.T, Y))


def test_coinciding_features_have_finite_gradients():
    for name in ("contrastive", "triplet"):
        x = torch.ones(4, 4, requires_grad=True)
        losses.create(name, 4, 5)(x, torch.tensor([0, 0, 1, 1]), 1).loss.backward()
        assert torch.isfinite(x.grad).all(), name


def triplets(x, mining):
    """(d_ap, d_an) squared of every triplet used."""
    points = longhand.unit(x)
    found = []
    for a in range(len(Y)):
        negatives = [squared(points[a], points[n]) for n in range(len(Y)) if Y[n] != Y[a]]
        for p in range(len(Y)):
            if p == a or Y[p] != Y[a]:
                continue
            d_ap = squared(points[a], points[p])
            if mining == "all":
                found += [(d_ap, d_an) for d_an in negatives]
                continue
            farther = [d for d in negatives if np.real(d) > np.real(d_ap)]
            nearest = min(farther, key=np.real) if farther else max(negatives, key=np.real)
            found.append((d_ap, nearest))
    return found


@pytest.mark.parametrize("mining", ["semi_hard", "all"])
@pytest.mark.parametrize("m", [0.2, 1.0])
def test_triplet(mining, m):
    def formula(x):
        found = triplets(x, mining)
        return sum(longhand.positive_part(d_ap - d_an + m) for d_ap, d_an in found) / len(found)

    output = check(losses.create("triplet", 4, 5, m=m, mining=mining), formula)
    found = triplets(X, mining)
    assert output.logged["triplets"].item() == len(found)
    share = np.mean([d_ap - d_an + m > 0 for d_ap, d_an in found])
    assert output.logged["active"].item() == pytest.approx(share)


def test_semi_hard_meets_both_cases():
    found = triplets(X, "semi_hard")
    assert any(d_an > d_ap for d_ap, d_an in found) and any(d_an < d_ap for d_ap, d_an in found)


def test_semi_hard_negatives_are_strictly_farther():
    # As far from both of the pair as they are from each other (2), and one at 4 and 2.
    x = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])
    output = losses.create("triplet", 3, 2, m=0.5)(x, torch.tensor([0, 0, 1, 2]), 1)
    # Anchor 0: 2 − 4 + m < 0, the tie at 2 is passed over. Anchor 1: nothing is farther, so the farthest, 2.
    assert output.loss.item() == pytest.approx(0.5 / 2)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [1, 1, 1, 1], [0, 0, 0, 0]])
def test_no_triplet_gives_zero(labels):
    for mining in ("semi_hard", "all"):
        x = torch.randn(4, 4, requires_grad=True)
        output = losses.create("triplet", 4, 5, mining=mining)(x, torch.tensor(labels), 1)
        output.loss.backward()
        assert output.loss.item() == 0
        assert output.logged["triplets"].item() == 0 and output.logged["active"].item() == 0
        assert (x.grad == 0).all()


def test_center_term_and_its_moving_centers():
    loss = losses.create("center", 4, 5, softmax=False, alpha=0.25).double()
    centers = np.random.default_rng(1).normal(size=(5, 4))
    loss.centers.copy_(torch.from_numpy(centers))
    output = check(loss, lambda x: 0.5 * ((x - centers[Y]) ** 2).sum() / len(Y))
    assert output.logged["center_distance"].item() == pytest.approx(longhand.norms(X - centers[Y]).mean())
    expected = centers.copy()
    for j in range(5):
        own = X[j == Y]
        expected[j] -= 0.25 * (centers[j] - own).sum(0) / (1 + len(own))
    np.testing.assert_allclose(loss.centers.numpy(), expected, atol=1e-12)


def test_centers_rest_outside_training():
    loss = losses.create("center", 4, 5).eval()
    loss(torch.from_numpy(X).float(), LABELS, 1)
    assert (loss.metric.centers == 0).all()


def test_center_beside_softmax():
    loss = losses.create("center", 4, 5, weight=0.2).double()
    w = loss.identification.classes.weight.detach().numpy()
    check(loss, lambda x: longhand.cross_entropy(x @ w.T, Y) + 0.2 * 0.5 * (x**2).sum() / len(Y))
