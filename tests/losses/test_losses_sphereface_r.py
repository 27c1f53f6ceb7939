"""SphereFace-R and SphereFace2 against their formulas longhand."""

import itertools
import math

import losses_longhand as longhand
import mpmath
import numpy as np
import pytest
import torch

from facepipe import losses
from facepipe.losses.classification.sphereface2 import initial_bias

X, W, Y = longhand.batch()
WEIGHTS = longhand.unit(W)


def run(loss, w, step=1):
    loss = loss.double()
    with torch.no_grad():
        loss.classes.weight.copy_(torch.from_numpy(w))
    x = torch.from_numpy(X).requires_grad_()
    output = loss(x, torch.from_numpy(Y), step)
    output.loss.backward()
    return output, x.grad.numpy(), loss.classes.weight.grad.numpy()


def moved(c, version, m):
    theta = np.arccos(c)
    if version == "v0":
        return longhand.with_target(c, Y, longhand.psi(longhand.own(c, Y), m))
    if version == "v1":
        wide = m * longhand.own(theta, Y)
        return longhand.with_target(c, Y, np.where(np.real(wide) < np.pi, np.cos(wide), -1))
    return longhand.with_target(np.cos(theta / m), Y, longhand.own(c, Y))


def sphereface_r(x, w, c, norm, s, t, loss_weight):
    """The loss from moved cosines c."""
    size = longhand.norms(x)
    if norm == "hard":
        return loss_weight / s * longhand.cross_entropy(s * c, Y)
    if norm == "none":
        return longhand.cross_entropy(size[:, None] * c, Y)
    gap = np.where(np.real(size) > s, size - s, s - size)
    return loss_weight / s * longhand.cross_entropy(size[:, None] * c, Y) + t * gap.mean()


VARIANTS = list(itertools.product(["v0", "v1", "v2"], ["none", "hard", "soft"]))


@pytest.mark.parametrize(("version", "norm"), VARIANTS)
@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize("gradient", ["characteristic", "autograd"])
def test_sphereface_r(version, norm, projected, gradient):
    s, m, t, loss_weight = 3.0, 1.7, 0.2, 20.0
    loss = losses.create(
        "sphereface_r", 4, 5, version=version, norm=norm, s=s, m=m, t=t, loss_weight=loss_weight,
        gradient=gradient, projected=projected,
    )  # fmt: skip
    w0 = WEIGHTS if projected else W
    frozen = longhand.cosines(X, w0, projected)
    change = moved(frozen, version, m) - frozen

    def formula(x, w):
        c = longhand.cosines(x, w, projected)
        # Characteristic gradient detachment: the change made by the margin stays as it was at this point.
        after = c + change if gradient == "characteristic" else moved(c, version, m)
        return sphereface_r(x, w, after, norm, s, t, loss_weight)

    output, on_x, on_w = run(loss, W)
    assert output.loss.item() == pytest.approx(formula(X, w0), abs=1e-10)
    np.testing.assert_allclose(on_x, longhand.gradient(lambda x: formula(x, w0), X), atol=1e-10)
    np.testing.assert_allclose(on_w, longhand.gradient(lambda w: formula(X, w), w0), atol=1e-10)
    if norm == "soft":
        expected = t * np.abs(longhand.norms(X) - s).mean()
        assert output.logged["penalty"].item() == pytest.approx(expected, abs=1e-12)


def test_v1_reaches_pi():
    wide = 1.7 * np.arccos(longhand.own(longhand.cosines(X, W), Y))
    assert (wide > np.pi).any() and (wide < np.pi).any()


def test_the_margin_grows_after_each_milestone():
    loss = losses.create("sphereface_r", 4, 5, m=1.4, milestones=(10, 20))
    margins = [loss.head.margin.margin(step) for step in (1, 10, 11, 20, 21, 1000)]
    assert margins == pytest.approx([1, 1, 1.2, 1.2, 1.4, 1.4])
    assert run(loss, W, 11)[0].logged["m"].item() == pytest.approx(1.2)
    fixed = losses.create("sphereface_r", 4, 5, m=1.2)
    assert run(loss, W, 11)[0].loss.item() == pytest.approx(run(fixed, W, 1)[0].loss.item(), abs=1e-12)


def adjusted(c, t):
    return 2 * ((c + 1) / 2) ** t - 1


def sphereface2(g, b, lam, r, m, loss_weight):
    total = 0
    for i, label in enumerate(Y):
        for j in range(len(W)):
            if j == label:
                total = total + lam / r * longhand.softplus(-(r * (g[i, j] - m) + b))
            else:
                total = total + (1 - lam) / r * longhand.softplus(r * (g[i, j] + m) + b)
    return loss_weight * total / len(Y)


@pytest.mark.parametrize("gradient", ["autograd", "characteristic"])
@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize(
    ("lam", "r", "m", "t", "loss_weight"),
    [(0.7, 40.0, 0.4, 3.0, 50.0), (0.4, 5.0, 0.2, 1.0, 1.0), (0.6, 5.0, 0.0, 2.5, 1.0)],
)
def test_sphereface2(gradient, projected, lam, r, m, t, loss_weight):
    options = {"lam": lam, "r": r, "m": m, "t": t, "loss_weight": loss_weight, "gradient": gradient}
    loss = losses.create("sphereface2", 4, 5, projected=projected, **options).double()
    b = loss.head.margin.b.item()
    w0 = WEIGHTS if projected else W
    frozen = longhand.cosines(X, w0, projected)
    change = adjusted(frozen, t) - frozen

    def formula(x, w, b=b):
        c = longhand.cosines(x, w, projected)
        g = c + change if gradient == "characteristic" else adjusted(c, t)
        return sphereface2(g, b, lam, r, m, loss_weight)

    output, on_x, on_w = run(loss, W)
    assert output.loss.item() == pytest.approx(formula(X, w0), abs=1e-10)
    np.testing.assert_allclose(on_x, longhand.gradient(lambda x: formula(x, w0), X), atol=1e-10)
    np.testing.assert_allclose(on_w, longhand.gradient(lambda w: formula(X, w), w0), atol=1e-10)
    expected = longhand.gradient(lambda v: formula(X, w0, v[0]), np.array([b]))
    np.testing.assert_allclose(loss.head.margin.b.grad.item(), expected[0], atol=1e-10)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 10, 10_572, 1_000_000])
@pytest.mark.parametrize(("r", "m"), [(40.0, 0.4), (1.0, 0.1)])
def test_sphereface2_bias_starts_where_its_gradient_vanishes(num_classes, r, m):
    lam, t = 0.7, 3.0
    with mpmath.workdps(50):
        g = 2 * mpmath.mpf(0.5) ** 3 - 1

        def slope(b):
            own = lam / (1 + mpmath.exp(r * (g - m) + b))
            return own - (1 - lam) * (num_classes - 1) / (1 + mpmath.exp(-(r * (g + m) + b)))

        low, high = mpmath.mpf(-100), mpmath.mpf(100)
        for _ in range(120):
            middle = (low + high) / 2
            low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    assert initial_bias(num_classes, lam, r, m, t) == pytest.approx(float(low), abs=1e-10)


def test_a_cosine_rounded_below_minus_one_keeps_its_adjustment():
    cosine = torch.tensor([[-1.0000002, 0.5]], requires_grad=True)
    margin = losses.create("sphereface2", 4, 5, t=2.5).head.margin
    logits = margin(cosine, torch.ones(1), torch.tensor([0]), 1)
    logits.sum().backward()
    assert torch.isfinite(logits).all() and torch.isfinite(cosine.grad).all()


def test_sphereface2_bias_of_the_loss_itself():
    loss = losses.create("sphereface2", 6, 5).double()
    with torch.no_grad():
        loss.classes.weight[:, 5] = 0
    features = torch.zeros(3, 6, dtype=torch.float64)
    features[:, 5] = 1  # at right angles to all classes
    loss(features, torch.tensor([0, 1, 2]), 1).loss.backward()
    # b is kept in float32: its rounding leaves a slope of about 1e-7.
    assert abs(loss.head.margin.b.grad.item()) < 1e-6
    assert not math.isclose(loss.head.margin.b.item(), 0, abs_tol=1)
