"""Losses of uncertainty heads: the features they take, their values longhand, and what they log."""

import math

import mpmath
import numpy as np
import pytest
import torch

from facepipe import losses
from facepipe.errors import DatasetError, ModelError

DIM, CLASSES = 6, 3
LABELS = torch.tensor([0, 0, 1, 1, 1, 2, 0])
HEADS = {"scf": 1, "pfe": DIM, "probface": 1}


def batch(outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mu = torch.randn(len(LABELS), DIM, generator=generator, dtype=torch.float64)
    output = torch.randn(len(LABELS), outputs, generator=generator, dtype=torch.float64)
    return mu, output


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def make(name, **options):
    loss = losses.create(name, DIM, CLASSES, **options)
    if name == "scf":
        loss.set_centres(torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(9)))
    return loss


def test_names_by_what_they_train():
    assert losses.names("kappa") == ["scf"] and losses.names("sigma2") == ["pfe", "probface"]
    assert not {"scf", "pfe", "probface"} & set(losses.names())
    assert losses.describe("probface").trains == "sigma2" and losses.describe("arcface").trains == "embedding"
    with pytest.raises(ModelError, match="did you mean 'probface'"):
        losses.create("probfase", DIM, CLASSES)


def test_features_are_unit_embeddings_followed_by_the_output():
    mu, output = batch(2)
    got = losses.head_features(mu.float(), output.float())
    np.testing.assert_allclose(got[:, :DIM].numpy(), unit(mu.numpy()), atol=1e-6)
    assert torch.equal(got[:, DIM:], output.float())
    assert losses.head_features(mu.bfloat16(), output.bfloat16()).dtype == torch.float32


def test_scf_longhand():
    """−κ cosθ − (d/2−1) log κ + log I_{d/2−1}(κ) + (d/2) log 2π + d log r, by mpmath."""
    mu, log_kappa = batch(1)
    loss = make("scf", radius=10.0).double()
    got = loss(losses.head_features(mu, log_kappa), LABELS, 1)
    v, values, terms = DIM / 2 - 1, [], []
    for direction, centre, out in zip(unit(mu.numpy()), loss.centres[LABELS].numpy(), log_kappa[:, 0], strict=True):
        kappa, cosine = math.exp(out), float(direction @ centre)
        parts = [-kappa * cosine, -v * math.log(kappa), float(mpmath.log(mpmath.besseli(v, kappa)))]
        terms.append(parts)
        values.append(sum(parts) + DIM / 2 * math.log(2 * math.pi) + DIM * math.log(10))
    assert got.loss.item() == pytest.approx(np.mean(values), rel=1e-12)
    expected = dict(zip(losses.SCFLoss.published[2:], np.mean(terms, 0), strict=True))
    expected |= {"kappa": np.exp(log_kappa.numpy()).mean(), "total_loss": np.mean(values)}
    assert {name: got.logged[name].item() for name in expected} == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.linalg.norm(loss.centres.numpy(), axis=1), 1, rtol=1e-6)


def test_scf_with_the_official_floor():
    mu, log_kappa = batch(1)
    plain, floor = make("scf"), make("scf", official_floor=True)
    features = losses.head_features(mu, log_kappa)
    assert floor(features, LABELS, 1).loss > plain(features, LABELS, 1).loss


def test_centres_are_kept_with_the_loss_and_must_fit():
    loss = make("scf")
    assert loss.state_dict()["centres"].shape == (CLASSES, DIM) and list(loss.parameters()) == []
    with pytest.raises(ModelError, match="class centres are 2×6, but the loss needs 3×6"):
        loss.set_centres(torch.ones(2, DIM))


def pairs():
    return [(i, j) for i in range(len(LABELS)) for j in range(i) if LABELS[i] == LABELS[j]]


def test_pfe_longhand():
    mu, output = batch(DIM)
    u, sigma2 = unit(mu.numpy()), np.exp(output.numpy())
    values = []
    for i, j in pairs():
        total = sigma2[i] + sigma2[j]
        values.append(np.sum((u[i] - u[j]) ** 2 / total + np.log(total)))
    features = losses.head_features(mu, output)
    published = make("pfe", weight=2.0)(features, LABELS, 1)
    assert published.loss.item() == pytest.approx(np.mean(values) + DIM * math.log(2 * math.pi), rel=1e-12)
    mean = make("pfe", scale="mean")(features, LABELS, 1)
    assert mean.loss.item() == pytest.approx(np.mean(values) / DIM, rel=1e-12)
    assert mean.logged["sigma2_max"].item() == pytest.approx(sigma2.max())


@pytest.mark.parametrize(("norm", "form"), [("l1", "sum"), ("l2", "sum"), ("l1", "mean"), ("l2", "mean")])
def test_probface_is_the_weighted_sum_of_its_terms(norm, form):
    mu, output = batch(1)
    u, sigma2 = unit(mu.numpy()), np.exp(output.numpy())[:, 0]
    fast = [
        np.sum((u[i] - u[j]) ** 2) / (sigma2[i] + sigma2[j]) + math.log(sigma2[i] + sigma2[j]) for i, j in pairs()
    ]
    away = np.abs(sigma2 / sigma2.mean() - 1) ** (1 if norm == "l1" else 2)
    constraint = away.sum() if form == "sum" else away.mean()
    features = losses.head_features(mu, output)
    got = make("probface", norm=norm, form=form, constraint=0.3, triplet=0.0)(features, LABELS, 1)
    assert got.loss.item() == pytest.approx(np.mean(fast) + 0.3 * constraint, rel=1e-12)
    assert got.logged["constraint"].item() == pytest.approx(constraint, rel=1e-12) and "identity" not in got.logged
    whole = make("probface", norm=norm, form=form, mls=2.0, constraint=0.3, triplet=0.5)(features, LABELS, 1)
    expected = 2 * np.mean(fast) + 0.3 * constraint + 0.5 * whole.logged["identity"].item()
    assert whole.loss.item() == pytest.approx(expected, rel=1e-12) and whole.logged["identity"] > 0


def test_nothing_but_zero_weights():
    mu, output = batch(1)
    output.requires_grad_(True)
    out = make("probface", mls=0.0, constraint=0.0, triplet=0.0)(losses.head_features(mu, output), LABELS, 1)
    out.loss.backward()
    assert out.loss == 0 and torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("name", HEADS)
def test_gradients(name):
    """With `sum`, no gradient goes through the average, as published: that is not the value's own."""
    mu, output = batch(HEADS[name])
    loss = make(name, **({"form": "mean"} if name == "probface" else {})).double()

    def value(output):
        return loss(losses.head_features(mu, output), LABELS, 1).loss

    assert torch.autograd.gradcheck(value, (output.requires_grad_(True),), atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_bad_batches(name):
    mu, output = batch(HEADS[name])
    features = losses.head_features(mu, output)
    with pytest.raises(DatasetError, match="one integer class index"):
        make(name)(features, LABELS[:2], 1)
    with pytest.raises(DatasetError, match="num_classes"):
        make(name)(features, LABELS + 1, 1)


def test_the_official_floor_has_a_right_gradient_in_the_whole_loss():
    """By embeddings and by log κ, at κ where the floor rules, where it fades and where it is nothing."""
    mu = torch.randn(4, 64, dtype=torch.float64, requires_grad=True)
    log_kappa = torch.tensor([[1.0], [3.0], [4.5], [8.0]], dtype=torch.float64, requires_grad=True)
    loss = losses.create("scf", 64, 3, official_floor=True).double()
    loss.set_centres(torch.randn(3, 64, dtype=torch.float64))
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(
        lambda x, log: loss(losses.head_features(x, log), labels, 1).loss, (mu, log_kappa)
    )


def test_every_loss_says_what_it_has():
    """Training asks the loss itself, whatever it is: for class weights, for a row of each class, for centres."""
    for kind in ("embedding", "kappa", "sigma2"):
        for name in losses.names(kind):
            loss = losses.create(name, DIM, CLASSES)
            rows, weights = loss.class_rows(), loss.class_weights
            assert (rows is None) == (weights is None) and loss.takes_centres == (name == "scf"), name
            if weights is not None:
                assert torch.equal(rows, weights.weight) and not rows.requires_grad and rows.shape == (CLASSES, DIM)
            assert weights is not None or not loss.shardable
            loss.set_centres(torch.ones(CLASSES, DIM))
            assert all(isinstance(name, str) for name in loss.published)
