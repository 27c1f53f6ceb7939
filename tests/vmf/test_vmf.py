"""log I_v, A_d and log C_d against mpmath, with their derivatives."""

import math

import pytest
import torch
import vmf_longhand as exact
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import grad

from facepipe.errors import EmbeddingsError
from facepipe.vmf import a_d, bessel, log_c, log_density, log_iv

DIMENSIONS = (2, 3, 4, 7, 33, 64, 65, 66, 67, 128, 512, 1024, 2048)
KAPPAS = (1e-6, 1e-3, 0.1, 1.0, 4.0, 15.0, 60.0, 170.0, 338.0, 700.0, 1500.0, 1e4, 1e5, 1e6)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def kappas(values, dtype=torch.float64):
    """κ as a leaf tensor, and the numbers that it really holds."""
    tensor = torch.tensor(values, dtype=dtype, requires_grad=True)
    return tensor, [float(value) for value in tensor.tolist()]


def assert_close(got, expected, tolerance, floor=0.0):
    """|got − expected| ≤ tolerance·max(|expected|, floor)."""
    for g, e in zip(got.detach().double().tolist(), expected, strict=True):
        assert abs(g - e) <= tolerance * max(abs(e), floor), (g, float(e), float((g - e) / e))


@DTYPES
@pytest.mark.parametrize("d", DIMENSIONS)
def test_log_iv(d, dtype):
    """Relative, but absolute within 1 of a zero of log I_v, where a relative error says nothing."""
    x, values = kappas(KAPPAS, dtype)
    got = log_iv(d / 2 - 1, x)
    assert got.dtype == dtype
    assert_close(got, [exact.log_iv(d / 2 - 1, value) for value in values], TOLERANCE[dtype], floor=1.0)


@DTYPES
@pytest.mark.parametrize("d", DIMENSIONS)
def test_a_d_and_its_derivatives(d, dtype):
    x, values = kappas(KAPPAS, dtype)
    got = a_d(d, x)
    assert got.dtype == dtype
    (first,) = grad(got.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    assert_close(got, [exact.ratio(d, value) for value in values], TOLERANCE[dtype])
    assert_close(first, [exact.ratio_slope(d, value) for value in values], TOLERANCE[dtype])
    # A″ passes through no zero, but near κ = 0 it is a small difference: −6κ/(d²(d+2)).
    floors = [exact.ratio_slope(d, value) / (value + d) for value in values]
    for g, value, floor in zip(second.double().tolist(), values, floors, strict=True):
        e = exact.ratio_curvature(d, value)
        assert abs(g - e) <= 10 * TOLERANCE[dtype] * max(abs(e), floor)


@DTYPES
@pytest.mark.parametrize("d", DIMENSIONS)
def test_log_c_and_its_derivatives(d, dtype):
    x, values = kappas(KAPPAS, dtype)
    got = log_c(d, x)
    (first,) = grad(got.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    # Beside log C(0), from which it starts: on its way to −∞ it crosses zero.
    scale = abs(exact.log_c(d, 0))
    assert_close(got, [exact.log_c(d, value) for value in values], TOLERANCE[dtype], floor=scale)
    assert_close(first, [-exact.ratio(d, value) for value in values], TOLERANCE[dtype])
    assert_close(second, [-exact.ratio_slope(d, value) for value in values], TOLERANCE[dtype])


@pytest.mark.parametrize("d", DIMENSIONS)
def test_derivatives_of_log_iv(d):
    x, values = kappas(KAPPAS)
    (first,) = grad(log_iv(d / 2 - 1, x).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    v = d / 2 - 1
    assert_close(first, [exact.ratio(d, k) + v / exact.mpf(k) for k in values], 1e-12)
    # −v/κ² + A′: beside the larger of the two, for at large κ they nearly cancel.
    for got, k in zip(second.tolist(), values, strict=True):
        slope = exact.ratio_slope(d, k)
        assert abs(got - (slope - v / exact.mpf(k) ** 2)) <= 1e-12 * max(slope, v / k**2)


@pytest.mark.parametrize("d", (6, 512))
def test_value_and_derivative_in_one_sum(d):
    """Both of what one pass gives are differentiated at once."""
    x, values = kappas((3.0, 40.0, 900.0))
    value = log_c(d, x)
    (first,) = grad(value.sum(), x, create_graph=True)
    (value + first).sum().backward()
    assert_close(x.grad, [-exact.ratio(d, k) - exact.ratio_slope(d, k) for k in values], 1e-12)


@settings(deadline=None, max_examples=60)
@given(d=st.integers(2, 2048), exponent=st.floats(-6, 6))
def test_any_dimension_and_kappa(d, exponent):
    x, (value,) = kappas([10.0**exponent])
    slope = grad(a_d(d, x).sum(), x)[0]
    assert_close(log_iv(d / 2 - 1, x), [exact.log_iv(d / 2 - 1, value)], 1e-12, floor=1.0)
    assert_close(log_c(d, x), [exact.log_c(d, value)], 1e-12, floor=abs(exact.log_c(d, 0)))
    assert_close(a_d(d, x), [exact.ratio(d, value)], 1e-12)
    assert_close(slope, [exact.ratio_slope(d, value)], 1e-12)


@settings(deadline=None, max_examples=40)
@given(v=st.floats(0, 1100), exponent=st.floats(-6, 6))
def test_any_real_order(v, exponent):
    x, (value,) = kappas([10.0**exponent])
    assert_close(log_iv(v, x), [exact.log_iv(v, value)], 1e-12, floor=1.0)


@settings(deadline=None)
@given(d=st.integers(2, 4096), exponent=st.floats(-8, 8))
def test_bounds_of_the_ratio(d, exponent):
    """κ/(v + ½ + √((v+3/2)² + κ²)) ≤ A ≤ κ/(v + ½ + √((v+½)² + κ²)), v = d/2 − 1 (Amos 1974)."""
    kappa, v = 10.0**exponent, d / 2 - 1
    a = float(a_d(d, torch.tensor(kappa, dtype=torch.float64)))
    assert kappa / (v + 0.5 + math.hypot(v + 1.5, kappa)) * (1 - 1e-13) <= a
    assert a <= kappa / (v + 0.5 + math.hypot(v + 0.5, kappa)) * (1 + 1e-13)


def test_closed_forms_in_three_dimensions():
    """C_3 = κ/(4π sinh κ), A_3 = coth κ − 1/κ."""
    x = torch.tensor([0.5, 1.0, 5.0, 20.0], dtype=torch.float64)
    torch.testing.assert_close(log_c(3, x), torch.log(x / (4 * torch.pi * torch.sinh(x))), rtol=1e-13, atol=0)
    torch.testing.assert_close(a_d(3, x), 1 / torch.tanh(x) - 1 / x, rtol=1e-13, atol=0)


@pytest.mark.parametrize("d", (2, 3, 64, 512, 2048))
def test_at_zero(d):
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = log_c(d, x)
    (first,) = grad(value, x, create_graph=True)
    (second,) = grad(first, x)
    area = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    assert value.item() == pytest.approx(-area, rel=1e-14) and first.item() == 0
    assert second.item() == pytest.approx(-1 / d, rel=1e-14)
    assert log_iv(d / 2 - 1, x).item() == (0 if d == 2 else -math.inf)


@pytest.mark.parametrize("d", (2, 512))
def test_far_beyond_any_use(d):
    for dtype, huge in ((torch.float32, 1e30), (torch.float64, 1e150)):
        x = torch.tensor(huge, dtype=dtype, requires_grad=True)
        value = log_c(d, x)
        (first,) = grad(value, x, create_graph=True)
        assert value.item() == pytest.approx(-huge, rel=1e-6) and first.item() == pytest.approx(-1)
        assert math.isfinite(grad(first, x)[0].item())


@pytest.mark.parametrize(("function", "d"), [(log_c, 512), (a_d, 512), (log_c, 6), (a_d, 6), (log_c, 2), (a_d, 2)])
def test_autograd_agrees_with_finite_differences(function, d):
    x = torch.tensor([0.3, 5.0, 40.0, 300.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda k: function(d, k), (x,))
    assert torch.autograd.gradgradcheck(lambda k: function(d, k), (x,), atol=1e-7)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_in_float32_throughout(d):
    """As on a device without float64."""
    v = d / 2 - 1
    x, values = kappas(KAPPAS, torch.float32)
    log_g, ratio = bessel.log_g_and_ratio(v, x.detach())
    expected = [exact.log_iv(v, k) - v * exact.log(exact.mpf(k) / 2) + exact.loggamma(v + 1) for k in values]
    assert_close(log_g, expected, 2e-6)
    assert_close(ratio, [exact.ratio(d, k) for k in values], 1e-6)
    assert_close(bessel.ratio_slope(v, x), [exact.ratio_slope(d, k) for k in values], 1e-3)


@pytest.mark.parametrize("d", (2, 512))
def test_stays_on_its_device(d):
    """A meta tensor has no data: whatever looks at a value, or takes it to the CPU, fails on it."""
    x = torch.ones(3, 4, device="meta", requires_grad=True)
    for value in (log_iv(d / 2 - 1, x), a_d(d, x), log_c(d, x), log_density(d, x, torch.ones(4, device="meta"))):
        (first,) = grad(value.sum(), x, create_graph=True)
        assert value.is_meta and first.is_meta and grad(first.sum(), x)[0].shape == (3, 4)


def test_shapes_and_types():
    assert log_c(512, torch.ones(2, 0, 3)).shape == (2, 0, 3)
    assert a_d(512, torch.tensor(7.0)).shape == ()
    for narrow in (torch.float16, torch.bfloat16, torch.float32):
        assert log_iv(255.0, torch.ones(2, dtype=narrow)).dtype == torch.float32
    x = torch.tensor([300.0, 900.0], dtype=torch.float32, requires_grad=True)
    log_c(512, x).sum().backward()
    assert x.grad.dtype == torch.float32


def test_log_density():
    d, radius = 512, 64.0
    kappa, cosine = torch.tensor([[300.0], [700.0]]), torch.tensor([0.2, 0.7, -0.4], dtype=torch.float64)
    got = log_density(d, kappa, cosine, radius)
    assert got.shape == (2, 3) and got.dtype == torch.float64
    for row, k in enumerate((300.0, 700.0)):
        for column, c in enumerate(cosine.tolist()):
            expected = exact.log_c(d, k) + k * c - d * exact.log(radius)
            assert got[row, column].item() == pytest.approx(float(expected), rel=1e-12)
    assert log_density(d, kappa[0], cosine[:1].float()).dtype == torch.float32


def test_what_is_not_defined():
    with pytest.raises(EmbeddingsError, match="d ≥ 2, not 1"):
        log_c(1, torch.ones(1))
    with pytest.raises(EmbeddingsError, match="d ≥ 2, not 0"):
        a_d(0, torch.ones(1))
    with pytest.raises(EmbeddingsError, match="v ≥ 0, not -1"):
        log_iv(-1, torch.ones(1))
