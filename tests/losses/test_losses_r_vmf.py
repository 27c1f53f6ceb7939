"""The r-vMF loss: its values, its exact gradient, its optimum, and the published floor."""

import math

import pytest
import torch
import vmf_longhand as exact
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import grad
from torch.utils._python_dispatch import TorchDispatchMode

from facepipe.errors import ModelError
from facepipe.losses import RVMFLoss


def longhand(d, radius, kappa, cosine, floor=0.0):
    """−κ cosθ − (d/2−1) log(floor + κ) + log(floor + e^−κ I(κ)) + κ + (d/2) log 2π + d log r.

    As in ``kl_delta_vmf.py`` of MathsShen/SCF with a floor of 1e-6.
    """
    k = exact.mpf(kappa)
    scaled = exact.bessel(d / 2 - 1, kappa) * exact.mp.exp(-k)
    constant = exact.mpf(d) / 2 * exact.log(2 * exact.pi) + d * exact.log(radius)
    log_kappa = exact.log(k + exact.mpf(floor))
    return -k * exact.mpf(cosine) - (exact.mpf(d) / 2 - 1) * log_kappa + exact.log(scaled + floor) + k + constant


NOT_COMPUTING = ("aten::unbind.int", "aten::detach")


class Counter(TorchDispatchMode):
    """Operations by name; `computing` of them touch numbers."""

    def __init__(self):
        super().__init__()
        self.names = []

    @property
    def computing(self):
        return len([name for name in self.names if name not in NOT_COMPUTING])

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def tensors(log_kappa, cosine, dtype=torch.float64):
    return torch.tensor([log_kappa], dtype=dtype, requires_grad=True), torch.tensor([cosine], dtype=dtype)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_golden_value(dtype):
    """κ = 700, cosθ = 0.7, d = 512, r = 64."""
    loss = RVMFLoss(512)(*tensors(math.log(700), 0.7, dtype))
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(1089.141576, rel=1e-6 if dtype == torch.float32 else 1e-9)


@settings(deadline=None, max_examples=50)
@given(
    d=st.integers(2, 1024), exponent=st.floats(-3, 5), cosine=st.floats(-1, 1), floor=st.sampled_from([0.0, 1e-6]),
    radius=st.sampled_from([1.0, 64.0]),
)
def test_value_and_gradient(d, exponent, cosine, floor, radius):
    log_kappa, cos = tensors(exponent * math.log(10), cosine)
    kappa = float(log_kappa.detach().exp())
    loss = RVMFLoss(d, radius, official_floor=floor > 0)(log_kappa, cos)
    # The terms that are summed are as large as this.
    scale = max(1.0, kappa, d * math.log(64))
    assert loss.item() == pytest.approx(float(longhand(d, radius, kappa, cosine, floor)), abs=1e-12 * scale)
    slope = grad(loss.sum(), log_kappa)[0].item()
    a, v = exact.ratio(d, kappa), exact.mpf(d) / 2 - 1
    scaled = exact.bessel(d / 2 - 1, kappa) * exact.mp.exp(-exact.mpf(kappa))
    # d/dκ log(floor + ive) = ive′/(floor + ive), ive′ = ive·(A + v/κ − 1).
    bessel = (a + v / kappa - 1) * scaled / (scaled + floor) + 1
    expected = kappa * (-exact.mpf(cosine) - v / (kappa + floor) + bessel)
    assert slope == pytest.approx(float(expected), abs=1e-12 * scale)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-7), (torch.float64, 1e-12)], ids=str)
@pytest.mark.parametrize("d", (41, 42, 64, 100, 512, 2048))
def test_over_the_grid(d, dtype, tolerance):
    """A float32 loss is rounded once, so that its log κ is what the float says; terms of this size are summed."""
    log_kappa = torch.linspace(math.log(1e-3), math.log(1e6), 60).to(dtype).requires_grad_()
    cosine = torch.linspace(-0.9, 0.97, 60).to(dtype)
    loss = RVMFLoss(d)(log_kappa, cosine)
    (slope,) = grad(loss.sum(), log_kappa)
    for got, rise, log_k, cos in zip(*(x.tolist() for x in (loss, slope, log_kappa, cosine)), strict=True):
        kappa = exact.mp.exp(log_k)
        expected, along = longhand(d, 64.0, kappa, cos), kappa * cos
        assert abs(got - expected) <= tolerance * max(abs(expected), abs(along))
        pull = kappa * exact.ratio(d, kappa)
        assert abs(rise - (pull - along)) <= tolerance * max(abs(pull - along), pull, 1)


def test_one_pass_is_few_operations():
    """Small batches cost by the operation: 15 for the loss and its slope in float32, one more in the backward pass."""
    log_kappa, cosine = tensors(6.0, 0.4, torch.float32)
    loss = RVMFLoss(512)
    loss(log_kappa, cosine)  # makes the coefficients
    outer = torch.ones(1)
    with Counter() as counter:
        grad(loss(log_kappa, cosine), log_kappa, outer)
    assert counter.computing <= 16, counter.names


@pytest.mark.parametrize("official_floor", (False, True))
def test_gradcheck(official_floor):
    loss = RVMFLoss(512, official_floor=official_floor)
    log_kappa = torch.tensor([3.0, 6.5, 8.3], dtype=torch.float64, requires_grad=True)
    cosine = torch.tensor([0.1, 0.7, -0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (log_kappa, cosine))
    assert torch.autograd.gradgradcheck(loss, (log_kappa, cosine))


@pytest.mark.parametrize("d", (8, 512))
def test_second_derivative(d):
    """κ(A − cosθ) whether or not a graph is kept, and κ(A − cosθ) + κ²A′ after it."""
    log_kappa, cosine = tensors(6.1, 0.3)
    cosine.requires_grad_()
    loss = RVMFLoss(d)(log_kappa, cosine)
    kept = grad(loss.sum(), (log_kappa, cosine), create_graph=True)
    for value, other in zip(kept, grad(loss.sum(), (log_kappa, cosine), retain_graph=True), strict=True):
        torch.testing.assert_close(value.detach(), other, rtol=1e-12, atol=0)
    kappa = float(log_kappa.detach().exp())
    slope = kappa * (exact.ratio(d, kappa) - exact.mpf(0.3))
    second, across = grad(kept[0].sum(), (log_kappa, cosine))
    assert kept[0].item() == pytest.approx(float(slope), rel=1e-11)
    assert second.item() == pytest.approx(float(slope + kappa**2 * exact.ratio_slope(d, kappa)), rel=1e-11)
    assert across.item() == pytest.approx(-kappa, rel=1e-12)


def optimum(loss, cosine):
    """κ where the slope changes sign, by bisection."""
    low, high = 0.0, 14.0
    for _ in range(60):
        middle = (low + high) / 2
        log_kappa, cos = tensors(middle, cosine)
        rising = grad(loss(log_kappa, cos).sum(), log_kappa)[0].item() > 0
        low, high = (low, middle) if rising else (middle, high)
    return math.exp(low)


@pytest.mark.parametrize(("cosine", "kappa"), [(0.2, 107), (0.5, 341), (0.7, 702), (0.8, 1136), (0.9, 2421)])
def test_optimum(cosine, kappa):
    best = optimum(RVMFLoss(512), cosine)
    assert float(exact.ratio(512, best)) == pytest.approx(cosine, rel=1e-10)
    assert best == pytest.approx(kappa, abs=0.6)


@pytest.mark.parametrize("cosine", (0.05, 0.2, 0.5, 0.7, 0.8))
def test_optimum_under_the_floor(cosine):
    best = optimum(RVMFLoss(512, official_floor=True), cosine)
    assert best == pytest.approx(255 / (1 - cosine), rel=1e-5)
    assert best > optimum(RVMFLoss(512), cosine)


@settings(deadline=None, max_examples=50)
@given(log_kappa=st.floats(math.log(600), math.log(8000)), cosine=st.floats(-1, 1))
def test_official_gradient_as_the_program_composes_it(log_kappa, cosine):
    """With SciPy's ive and its derivative as in ``ive.py``, ive′_v = ive_{v−1} − ive_v(v + κ)/κ, term after term.

    From κ = 600 on, where SciPy's ive of order 255 has not underflowed in float64.
    """
    special = pytest.importorskip("scipy.special")
    log_k, cos = tensors(log_kappa, cosine)
    loss = RVMFLoss(512, official_floor=True)(log_k, cos)
    kappa, v = math.exp(log_kappa), 255
    ive = float(special.ive(v, kappa))
    slope = float(special.ive(v - 1, kappa)) - ive * (v + kappa) / kappa
    by_kappa = -cosine - v / (1e-6 + kappa) + slope / (1e-6 + ive) + 1
    expected = -kappa * cosine - v * math.log(1e-6 + kappa) + math.log(1e-6 + ive) + kappa
    expected += 256 * math.log(2 * math.pi) + 512 * math.log(64)
    assert loss.item() == pytest.approx(expected, abs=1e-8)
    assert grad(loss.sum(), log_k)[0].item() == pytest.approx(kappa * by_kappa, abs=1e-8 * kappa)


def test_floor_in_float32_where_scipy_underflows():
    """Below κ ≈ 377 the published program's float32 e^−κ I(κ) is 0, and its Bessel term the constant log 1e-6."""
    log_kappa, cosine = tensors(math.log(300), 0.5, torch.float32)
    terms = RVMFLoss(512, official_floor=True).terms(log_kappa, cosine)
    assert terms.log_iv_kappa.item() == pytest.approx(math.log(1e-6) + 300, rel=1e-6)


@pytest.mark.parametrize("official_floor", (False, True))
def test_terms_sum_to_the_loss(official_floor):
    loss = RVMFLoss(512, 32.0, official_floor)
    log_kappa, cosine = torch.linspace(1, 9, 20, dtype=torch.float64), torch.linspace(-1, 1, 20, dtype=torch.float64)
    terms = loss.terms(log_kappa, cosine)
    constant = 256 * math.log(2 * math.pi) + 512 * math.log(32)
    torch.testing.assert_close(sum(terms) + constant, loss(log_kappa, cosine), rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(terms.neg_kappa_times_cos_theta, -log_kappa.exp() * cosine)
    floored = (log_kappa.exp() + (1e-6 if official_floor else 0)).log()
    torch.testing.assert_close(terms.neg_dim_scalar_times_log_kappa, -255 * floored, rtol=1e-12, atol=0)


def test_large_log_kappa():
    log_kappa, cosine = tensors(80.0, 0.5, torch.float32)
    loss = RVMFLoss(512)(log_kappa, cosine)
    loss.sum().backward()
    assert math.isfinite(loss.item()) and log_kappa.grad.item() == pytest.approx(0.5 * math.exp(80), rel=1e-5)


def test_16_bit_heads():
    log_kappa = torch.tensor([6.5], dtype=torch.bfloat16, requires_grad=True)
    loss = RVMFLoss(512)(log_kappa, torch.tensor([0.7], dtype=torch.bfloat16))
    loss.sum().backward()
    assert loss.dtype == torch.float32 and log_kappa.grad.dtype == torch.bfloat16


def test_a_second_axis_would_broadcast():
    with pytest.raises(ModelError, match="squeeze the N×1"):
        RVMFLoss(512)(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(ModelError, match="N of each"):
        RVMFLoss(512)(torch.zeros(4), torch.zeros(3))


def test_dimension():
    with pytest.raises(ModelError, match="at least two dimensions, not 1"):
        RVMFLoss(1)
