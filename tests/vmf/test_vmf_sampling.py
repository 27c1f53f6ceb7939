"""Samples of the von Mises-Fisher distribution against its moments and, in three dimensions, its exact law."""

import math

import pytest
import torch
from torch.autograd import grad

from facepipe.errors import EmbeddingsError
from facepipe.vmf import a_d, sample


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(d, kappa, count, dtype=torch.float64, seed=0):
    """One random mean direction d, and ``count`` samples around it."""
    mu = torch.nn.functional.normalize(torch.randn(d, dtype=torch.float64, generator=seeded(99)), dim=0)
    rows = mu.to(dtype).expand(count, d)
    return mu, sample(rows, torch.full((count,), float(kappa)), seeded(seed)).double()


@pytest.mark.parametrize("kappa", (0.0, 0.5, 10.0, 700.0, 1e6))
@pytest.mark.parametrize("d", (2, 3, 10, 512))
def test_moments_of_the_cosine(d, kappa):
    """E cosθ = A_d(κ) and Var cosθ = A_d′(κ), within five standard errors."""
    count = 20_000 if d < 512 else 2_000
    mu, x = draw(d, kappa, count)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(count, dtype=torch.float64))
    at = torch.tensor(kappa, dtype=torch.float64, requires_grad=True)
    mean = a_d(d, at)
    variance = grad(mean, at)[0].item()
    # At large κ, where 1 − cosθ is tiny, it is what must be right.
    miss = (x - mu).square().sum(1) / 2
    assert abs(miss.mean().item() - (1 - mean.item())) < 5 * math.sqrt(variance / count)
    spread = (miss - miss.mean()).square()
    assert abs(spread.mean().item() - variance) < 5 * spread.std().item() / math.sqrt(count)


@pytest.mark.parametrize("kappa", (0.01, 1.0, 8.0, 200.0))
def test_exact_law_in_three_dimensions(kappa):
    """P(cosθ ≤ w) = (e^κw − e^−κ)/(e^κ − e^−κ), by Kolmogorov and Smirnov at 1 in 1000."""
    mu, x = draw(3, kappa, 20_000)
    w = (x @ mu).sort().values
    law = (torch.exp(kappa * (w - 1)) - math.exp(-2 * kappa)) / (1 - math.exp(-2 * kappa))
    steps = torch.arange(len(w) + 1, dtype=torch.float64) / len(w)
    distance = max((law - steps[:-1]).max().item(), (steps[1:] - law).max().item())
    assert distance < 1.95 / math.sqrt(len(w))


@pytest.mark.parametrize("d", (2, 3, 6))
def test_uniform_around_the_mean(d):
    """Across the mean direction the average is 0 and the covariance E sin²θ/(d−1) in every direction."""
    mu, x = draw(d, 5.0, 40_000)
    across = x - (x @ mu)[:, None] * mu
    assert across.mean(0).norm() < 5 * math.sqrt(1 / len(x))
    expected = across.square().sum(1).mean() / (d - 1) * (torch.eye(d, dtype=torch.float64) - torch.outer(mu, mu))
    assert (across.T @ across / len(x) - expected).abs().max() < 0.01


@pytest.mark.parametrize("first", (1.0, -1.0))
def test_means_on_the_first_axis(first):
    mu = torch.tensor([[first, 0.0, 0.0, 0.0]]).expand(500, 4)
    x = sample(mu, torch.full((500,), 1e4), seeded())
    assert ((x * mu).sum(1) > 0.99).all()


def test_each_row_has_its_own_kappa_and_mean():
    mu = torch.nn.functional.normalize(torch.randn(3, 64, generator=seeded(1)), dim=1).repeat_interleave(3000, 0)
    kappa = torch.tensor([5.0, 100.0, 5000.0]).repeat_interleave(3000)
    cosine = (sample(7 * mu, kappa, seeded(2)) * mu).sum(1).view(3, 3000).mean(1)
    torch.testing.assert_close(cosine, a_d(64, torch.tensor([5.0, 100.0, 5000.0])), atol=0.01, rtol=0)


def test_one_seed_one_sample():
    (_, a), (_, b), (_, c) = draw(16, 30, 50, seed=3), draw(16, 30, 50, seed=3), draw(16, 30, 50, seed=4)
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_none_at_all():
    assert sample(torch.ones(0, 5), torch.ones(0)).shape == (0, 5)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_dtype_is_that_of_the_means(dtype):
    assert sample(torch.ones(4, 5, dtype=dtype), torch.ones(4), seeded()).dtype == dtype


def test_what_cannot_be_sampled():
    with pytest.raises(EmbeddingsError, match="finite and not negative"):
        sample(torch.ones(2, 3), torch.tensor([1.0, math.nan]))
    with pytest.raises(EmbeddingsError, match="finite and not negative"):
        sample(torch.ones(2, 3), torch.tensor([1.0, -1.0]))
    with pytest.raises(EmbeddingsError, match=r"\(2, 3\) and kappa \(2, 1\)"):
        sample(torch.ones(2, 3), torch.ones(2, 1))
    with pytest.raises(EmbeddingsError, match="d ≥ 2"):
        sample(torch.ones(2, 1), torch.ones(2))
