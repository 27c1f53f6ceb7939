"""Softmax, modified softmax, NormFace, CosFace, ArcFace and L-Softmax against their formulas longhand."""

import losses_longhand as longhand
import numpy as np
import pytest
import torch

from facepipe import losses

X, W, Y = longhand.batch()
STEP = 3


def evaluate(loss, w=W, step=STEP):
    """Loss, feature gradient and class-weight gradient in float64."""
    loss = loss.double()
    with torch.no_grad():
        loss.classes.weight.copy_(torch.from_numpy(w))
    x = torch.from_numpy(X).requires_grad_()
    value = loss(x, torch.from_numpy(Y), step).loss
    value.backward()
    return value.item(), x.grad.numpy(), loss.classes.weight.grad.numpy()


def check(loss, formula, w=W, step=STEP):
    """``formula(x, w)`` must give the loss; its complex-step gradients must be the loss's gradients."""
    value, on_x, on_w = evaluate(loss, w, step)
    assert value == pytest.approx(formula(X, w), abs=1e-10, rel=1e-12)
    np.testing.assert_allclose(on_x, longhand.gradient(lambda x: formula(x, w), X), atol=1e-10)
    np.testing.assert_allclose(on_w, longhand.gradient(lambda v: formula(X, v), w), atol=1e-10)


def test_the_batch_reaches_both_ends():
    own = longhand.own(longhand.cosines(X, W), Y)
    assert own.min() < -0.95 and own.max() > 0.95


def test_softmax_has_biases():
    loss = losses.create("softmax", 4, 5)
    bias = np.linspace(-1, 1, 5)
    with torch.no_grad():
        loss.classes.bias.copy_(torch.from_numpy(bias))
    bias = loss.classes.bias.detach().double().numpy()
    check(loss, lambda x, w: longhand.cross_entropy(x @ w.T + bias, Y))
    expected = longhand.gradient(lambda b: longhand.cross_entropy(X @ W.T + b, Y), bias)
    np.testing.assert_allclose(loss.classes.bias.grad.numpy(), expected, atol=1e-10)


def test_softmax_without_bias():
    loss = losses.create("softmax", 4, 5, bias=False)
    assert loss.classes.bias is None
    check(loss, lambda x, w: longhand.cross_entropy(x @ w.T, Y))


def test_modified_softmax():
    def formula(x, w):
        return longhand.cross_entropy(x @ longhand.unit(w).T, Y)

    check(losses.create("modified_softmax", 4, 5), formula)


def test_projected_weights_keep_the_radial_gradient():
    loss = losses.create("modified_softmax", 4, 5, projected=True)
    value, on_x, on_w = evaluate(loss, 3 * W)
    w = longhand.unit(W)
    np.testing.assert_allclose(loss.classes.weight.detach().numpy(), w, atol=1e-14)
    assert value == pytest.approx(longhand.cross_entropy(X @ w.T, Y), abs=1e-10)
    expected = longhand.gradient(lambda v: longhand.cross_entropy(X @ v.T, Y), w)
    np.testing.assert_allclose(on_w, expected, atol=1e-10)
    np.testing.assert_allclose(
        on_x, longhand.gradient(lambda x: longhand.cross_entropy(x @ w.T, Y), X), atol=1e-10
    )
    assert np.abs((on_w * w).sum(1)).max() > 1e-3


@pytest.mark.parametrize("s", [1.0, 30.0])
def test_normface(s):
    loss = losses.create("normface", 4, 5, s=s)
    check(loss, lambda x, w: longhand.cross_entropy(s * longhand.cosines(x, w), Y))


def test_normface_learns_its_scale():
    loss = losses.create("normface", 4, 5, s=16.0, learned=True)
    check(loss, lambda x, w: longhand.cross_entropy(16.0 * longhand.cosines(x, w), Y))
    expected = longhand.gradient(
        lambda s: longhand.cross_entropy(s[0] * longhand.cosines(X, W), Y), np.array([16.0])
    )
    np.testing.assert_allclose(loss.head.margin.s.grad.item(), expected[0], atol=1e-10)
    fixed = losses.create("normface", 4, 5)
    assert [name for name, _ in fixed.named_parameters()] == ["classes.weight"]


def test_normface_stays_above_its_bound():
    # The best arrangement of 5 classes: a regular simplex, each feature on its class (NormFace Prop. 2).
    simplex = torch.eye(5, dtype=torch.float64) - 0.2
    loss = losses.create("normface", 5, 5, s=4.0).double()
    with torch.no_grad():
        loss.classes.weight.copy_(simplex)
    best = loss(simplex, torch.arange(5), 1).loss.item()
    assert best == pytest.approx(np.log(1 + 4 * np.exp(-4.0 * 5 / 4)), rel=1e-12)


@pytest.mark.parametrize(("s", "m"), [(64.0, 0.35), (10.0, 0.0)])
def test_cosface(s, m):
    def formula(x, w):
        c = longhand.cosines(x, w)
        return longhand.cross_entropy(s * longhand.with_target(c, Y, longhand.own(c, Y) - m), Y)

    check(losses.create("cosface", 4, 5, s=s, m=m), formula)


@pytest.mark.parametrize(("s", "m"), [(64.0, 0.5), (8.0, 1.2)])
def test_arcface(s, m):
    def formula(x, w):
        c = longhand.cosines(x, w)
        theta = np.arccos(longhand.own(c, Y))
        inside = np.real(theta) + m < np.pi
        moved = np.where(inside, np.cos(theta + m), np.cos(theta) - m * np.sin(np.pi - m))
        return longhand.cross_entropy(s * longhand.with_target(c, Y, moved), Y)

    beyond = np.arccos(longhand.own(longhand.cosines(X, W), Y)) + m > np.pi
    assert beyond.any() and not beyond.all()
    check(losses.create("arcface", 4, 5, s=s, m=m), formula)


def test_arcface_falls_with_the_angle_on_both_sides_of_the_fallback():
    theta = torch.linspace(0, np.pi, 2001, dtype=torch.float64)
    cosine = torch.cos(theta)[:, None]
    logit = losses.arcface.arcface(cosine, theta, torch.zeros(2001, dtype=torch.long), 1)[:, 0]
    fall = -logit.diff()
    inside = theta[1:] + 0.5 < np.pi
    # From π−m on the fallback, a cosine again, falls as well; the jump between lies at π−m.
    assert (fall[inside] > 0).all()
    assert (fall[theta[:-1] + 0.5 > np.pi] > 0).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 2000])
def test_l_softmax(m, step):
    lam = max(5, 1000 / (1 + 0.12 * step))

    def formula(x, w):
        c = longhand.own(longhand.cosines(x, w), Y)
        own = longhand.norms(w)[Y] * longhand.norms(x) * longhand.annealed(c, m, lam)
        return longhand.cross_entropy(longhand.with_target(x @ w.T, Y, own), Y)

    check(losses.create("l_softmax", 4, 5, m=m), formula, step=step)


def test_l_softmax_without_annealing():
    def formula(x, w):
        c = longhand.own(longhand.cosines(x, w), Y)
        own = longhand.norms(w)[Y] * longhand.norms(x) * longhand.psi(c, 3)
        return longhand.cross_entropy(longhand.with_target(x @ w.T, Y, own), Y)

    check(losses.create("l_softmax", 4, 5, m=3, base=0, lambda_min=0), formula)
