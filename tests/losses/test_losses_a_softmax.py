"""ψ, λ, A-Softmax with its two gradients, SphereFace+."""

import math

import losses_longhand as longhand
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facepipe import losses
from facepipe.losses.classification.psi import Annealing, psi, psi_of_angle

X, W, Y = longhand.batch(n=16)
WEIGHTS = longhand.unit(W)


def run(loss, w, step):
    loss = loss.double()
    with torch.no_grad():
        loss.classes.weight.copy_(torch.from_numpy(w))
    x = torch.from_numpy(X).requires_grad_()
    output = loss(x, torch.from_numpy(Y), step)
    output.loss.backward()
    return output, x.grad.numpy(), loss.classes.weight.grad.numpy()


GOLDEN = [(0.9, -0.2312), (0.1, -2.9208), (-0.3, -3.6552), (-0.95, -6.29605)]


@pytest.mark.parametrize(("cosine", "expected"), GOLDEN)
def test_psi_golden(cosine, expected):
    value = psi(torch.tensor(cosine, dtype=torch.float64), 4).item()
    assert value == pytest.approx(expected, abs=1e-12)


@given(theta=st.floats(0, math.pi), m=st.sampled_from([1, 2, 3, 4]))
def test_psi_is_the_folded_cosine(theta, m):
    with mpmath.workdps(40):
        k = min(int(mpmath.floor(m * mpmath.mpf(theta) / mpmath.pi)), m - 1)
        expected = float((-1) ** k * mpmath.cos(m * mpmath.mpf(theta)) - 2 * k)
        cosine = float(mpmath.cos(theta))
    cosine = torch.tensor(cosine, dtype=torch.float64)
    assert psi(cosine, m).item() == pytest.approx(expected, abs=1e-13)


@given(cosine=st.floats(-0.999, 0.999), m=st.floats(1, 6))
def test_psi_of_angle_takes_real_margins(cosine, m):
    theta = math.acos(cosine)
    k = math.floor(m * theta / math.pi)
    expected = (-1) ** k * math.cos(m * theta) - 2 * k
    value = psi_of_angle(torch.tensor(cosine, dtype=torch.float64), m).item()
    assert value == pytest.approx(expected, abs=1e-11)


@given(st.floats(-1, 1), st.sampled_from([1, 2, 3, 4]))
def test_psi_of_angle_equals_the_polynomials(cosine, m):
    c = torch.tensor(cosine, dtype=torch.float64)
    # Within a rounding step of ±1 the angle is taken as 0 or π exactly.
    assert psi_of_angle(c, m).item() == pytest.approx(psi(c, m).item(), abs=1e-11)


@given(st.integers(0, 999), st.sampled_from([1, 2, 3, 4]))
def test_psi_falls_with_the_angle(i, m):
    theta = torch.tensor([i, i + 1], dtype=torch.float64) * (math.pi / 1000)
    near, far = psi(torch.cos(theta), m).tolist()
    assert far < near


def test_lambda_golden():
    annealing = Annealing()
    assert annealing(1) == pytest.approx(892.9, abs=0.05)
    assert annealing(1658) > 5
    assert annealing(1659) == 5
    assert Annealing(100, 0.5, 2, 0)(4) == pytest.approx(100 / 9)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 300, 5000])
def test_autograd_variant(m, step):
    lam = max(5, 1000 / (1 + 0.12 * step))

    def formula(x, w):
        c = longhand.cosines(x, w)
        target = longhand.annealed(longhand.own(c, Y), m, lam)
        return longhand.cross_entropy(longhand.norms(x)[:, None] * longhand.with_target(c, Y, target), Y)

    output, on_x, on_w = run(losses.create("a_softmax", 4, 5, m=m, gradient="autograd"), W, step)
    assert output.loss.item() == pytest.approx(formula(X, W), abs=1e-10)
    np.testing.assert_allclose(on_x, longhand.gradient(lambda x: formula(x, W), X), atol=1e-10)
    np.testing.assert_allclose(on_w, longhand.gradient(lambda w: formula(X, w), W), atol=1e-10)
    assert output.logged["lambda"].item() == pytest.approx(lam)


def official_longhand(x, w, y, m, lam):
    """Loss, ∂L/∂x and ∂L/∂W of the released layer, sample by sample, from its table of coefficients."""
    n, classes = len(x), len(w)
    length = [math.sqrt(sum(v * v for v in row)) for row in x]
    logits = np.array([[row @ w_j for w_j in w] for row in x])
    coefficients = []
    for i in range(n):
        c = x[i] @ w[y[i]] / length[i]
        s0 = np.sign(c)
        s1 = np.sign(abs(c) - 0.5)
        s2 = s0 * (1 + s1) - 2
        s3 = s0 * np.sign(2 * c**2 - 1)
        s4 = 2 * s0 + s3 - 3
        psi_c = {
            1: c,
            2: 2 * s0 * c**2 - 1,
            3: s1 * (4 * c**3 - 3 * c) + s2,
            4: s3 * (8 * c**4 - 8 * c**2 + 1) + s4,
        }[m]
        c_w = {1: 1.0, 2: 4 * s0 * c, 3: s1 * (12 * c**2 - 3), 4: s3 * (32 * c**3 - 16 * c)}[m]
        c_x = {
            1: 0.0,
            2: -(2 * s0 * c**2 + 1) / length[i],
            3: -(8 * s1 * c**3 - s2) / length[i],
            4: -(s3 * (24 * c**4 - 8 * c**2 - 1) - s4) / length[i],
        }[m]
        coefficients.append((c_w, c_x))
        logits[i, y[i]] = length[i] * (lam * c + psi_c) / (1 + lam)
    delta = np.exp(logits - logits.max(1, keepdims=True))
    delta /= delta.sum(1, keepdims=True)
    delta[np.arange(n), y] -= 1
    delta /= n
    on_x = np.zeros_like(x)
    for i in range(n):
        for j in range(classes):
            if j != y[i]:
                on_x[i] += delta[i, j] * w[j]
        c_w, c_x = coefficients[i]
        norm = math.sqrt(c_w**2 + c_x**2)
        margin = (c_w * w[y[i]] + c_x * x[i]) / norm
        on_x[i] += delta[i, y[i]] * (lam / (1 + lam) * w[y[i]] + margin / (1 + lam))
    return longhand.cross_entropy(logits, y), on_x, delta.T @ x, coefficients


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 300, 5000])
def test_official_gradient(m, step):
    lam = max(5, 1000 / (1 + 0.12 * step))
    value, on_x, on_w, _ = official_longhand(X, WEIGHTS, Y, m, lam)
    loss = losses.create("a_softmax", 4, 5, m=m)
    output, got_x, got_w = run(loss, 2 * W, step)
    np.testing.assert_allclose(loss.classes.weight.detach().numpy(), WEIGHTS, atol=1e-14)
    assert output.loss.item() == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(got_x, on_x, atol=1e-10)
    np.testing.assert_allclose(got_w, on_w, atol=1e-10)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_official_margin_without_lambda(m):
    loss = losses.create("a_softmax", 4, 5, m=m, base=0, lambda_min=0)
    value, on_x, on_w, coefficients = official_longhand(X, WEIGHTS, Y, m, 0.0)
    output, got_x, got_w = run(loss, W, 1)
    assert output.loss.item() == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(got_x, on_x, atol=1e-10)
    np.testing.assert_allclose(got_w, on_w, atol=1e-10)
    # Before the division by n the coefficients are the exact derivative of ‖x‖ψ.
    for i, (c_w, c_x) in enumerate(coefficients):
        target = WEIGHTS[Y[i]]

        def stretched(x, target=target):
            norm = np.sqrt((x * x).sum())
            return norm * longhand.psi(x @ target / norm, m)

        np.testing.assert_allclose(c_w * target + c_x * X[i], longhand.gradient(stretched, X[i]), atol=1e-10)


def test_official_and_autograd_gradients_differ_but_the_loss_does_not():
    official, official_x, _ = run(losses.create("a_softmax", 4, 5), W, 300)
    autograd, autograd_x, _ = run(losses.create("a_softmax", 4, 5, gradient="autograd"), W, 300)
    assert official.loss.item() == pytest.approx(autograd.loss.item(), abs=1e-12)
    assert np.abs(official_x - autograd_x).max() > 1e-3


def test_m_of_one_is_the_modified_softmax():
    first, first_x, _ = run(losses.create("a_softmax", 4, 5, m=1), W, 1)
    second, second_x, _ = run(losses.create("modified_softmax", 4, 5), W, 1)
    assert first.loss.item() == pytest.approx(second.loss.item(), abs=1e-12)
    np.testing.assert_allclose(first_x, second_x, atol=1e-12)


def test_two_forward_passes_may_precede_the_backward_ones():
    loss = losses.create("a_softmax", 4, 5)
    x = torch.from_numpy(X).float().requires_grad_()
    first, second = (loss(x, torch.from_numpy(Y), step).loss for step in (1, 2))
    (first + second).backward()
    assert torch.isfinite(x.grad).all()


def energy_longhand(w, y, s):
    w = longhand.unit(w)
    total = 0
    for label in y:
        for j in range(len(w)):
            if j != label:
                z = np.sqrt(((w[label] - w[j]) ** 2).sum())
                total = total + (np.log(1 / z) if s == 0 else z**-s)
    return total / (len(y) * (len(w) - 1))


def batch_energy_longhand(w, y):
    w = longhand.unit(w)
    present = sorted(set(y.tolist()))
    pairs = [(a, b) for a in present for b in present if a < b]
    return sum(np.arccos((w[a] * w[b]).sum()) ** -2 for a, b in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("options", "energy"),
    [
        ({"energy_power": 2.0}, lambda w, y: energy_longhand(w, y, 2)),
        ({"energy_power": 1.0}, lambda w, y: energy_longhand(w, y, 1)),
        ({"energy_power": 0.0}, lambda w, y: energy_longhand(w, y, 0)),
        ({"energy": "batch"}, batch_energy_longhand),
    ],
)
def test_sphereface_plus(options, energy):
    y = np.where(Y == 4, 1, Y)  # one class without samples

    def formula(x, w):
        c = longhand.cosines(x, w)
        target = longhand.annealed(longhand.own(c, y), 3, 5.0)
        logits = longhand.norms(x)[:, None] * longhand.with_target(c, y, target)
        return longhand.cross_entropy(logits, y) + 0.7 * energy(w, y)

    options = {"m": 3, "gradient": "autograd", "energy_weight": 0.7} | options
    loss = losses.create("sphereface_plus", 4, 5, **options).double()
    with torch.no_grad():
        loss.classes.weight.copy_(torch.from_numpy(W))
    x = torch.from_numpy(X).requires_grad_()
    output = loss(x, torch.from_numpy(y), 5000)
    output.loss.backward()
    assert output.loss.item() == pytest.approx(formula(X, W), abs=1e-10)
    assert output.logged["penalty"].item() == pytest.approx(0.7 * energy(W, y), abs=1e-10)
    np.testing.assert_allclose(x.grad.numpy(), longhand.gradient(lambda v: formula(v, W), X), atol=1e-10)
    expected = longhand.gradient(lambda v: formula(X, v), W)
    np.testing.assert_allclose(loss.classes.weight.grad.numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("energy", ["mhe", "batch"])
def test_sphereface_plus_survives_coinciding_classes(energy):
    loss = losses.create("sphereface_plus", 4, 5, energy=energy)
    with torch.no_grad():
        loss.classes.weight.copy_(torch.ones(5, 4))
    loss(torch.from_numpy(X).float(), torch.from_numpy(Y), 1).loss.backward()
    assert torch.isfinite(loss.classes.weight.grad).all()


def test_batch_energy_of_one_class_is_zero():
    loss = losses.create("sphereface_plus", 4, 5, energy="batch")
    output = loss(torch.from_numpy(X).float(), torch.zeros(len(X), dtype=torch.long), 1)
    assert output.logged["penalty"].item() == 0
