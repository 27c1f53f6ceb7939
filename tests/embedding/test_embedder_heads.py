"""Embeddings and their uncertainty from one pass: flip rules, precisions and real crops."""

import numpy as np
import pytest
import torch
from cli_run import tiny_model

from facepipe import backbones
from facepipe.embedding import Embedder
from facepipe.zoo import Card, Model, Uncertainty, load
from facepipe.zoo.headed import head_for

SIZE, DIM = (32, 24), 6


def headed(head, **options):
    """An untrained model whose head says something else of every face."""
    torch.manual_seed(0)
    net = backbones.create("sphereface4", input_size=SIZE, embedding_dim=DIM, width=0.125).eval()
    made = head_for(net, Uncertainty(head=head, options=options)).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape))
    card = Card.of(
        {
            "name": "tiny",
            "title": "tiny",
            "backbone": "sphereface4",
            "input": {"size": SIZE, "template": "112x96", "channels": "bgr", "mean": 127.5, "scale": 128.0},
            "embedding": {"dim": DIM, "flip": "concat"},
            "uncertainty": {"head": head},
            "weights": {"file": "tiny.pt", "format": "torch", "sha256": "ab" * 32},
        }
    )
    return Model(card, net, card.identity, torch.device("cpu"), made)


def crops_of(count):
    return np.random.default_rng(1).integers(0, 256, (count, *SIZE, 3), np.uint8)


def single(model, crops):
    """Each crop alone, step by step."""
    x = torch.from_numpy((crops[..., ::-1].astype(np.float32) - 127.5) / 128).permute(0, 3, 1, 2)
    with torch.inference_mode():
        stages = [model.network.maps(one[None]) for one in x]
        out = torch.cat([model.head(stage) for stage in stages]).double().exp().numpy()
        return torch.cat([model.network.head(stage[-1]) for stage in stages]).numpy(), out


@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
@pytest.mark.parametrize(("head", "width"), [("compact", 1), ("probface", 1), ("pfe", DIM)])
def test_mu_and_its_uncertainty_from_one_pass(head, width, flip):
    model, crops = headed(head), crops_of(7)
    passes = []
    model.network.maps = lambda x, original=model.network.maps: passes.append(len(x)) or original(x)
    embedder = Embedder(model, flip=flip, precision="float32", batch_size=4)
    got = embedder(crops)
    assert sum(passes) == (8 if flip == "none" else 16)  # 7 or 14 crops, filled up to whole batches of 4
    mu, out = single(model, crops)
    mirrored_mu, mirrored = single(model, crops[:, :, ::-1])
    expected = out if flip == "none" else (out + mirrored) / 2
    value = got.kappa[:, None] if model.head.kind == "kappa" else got.sigma2
    assert value.shape == (7, width) and value.dtype == np.float32
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert np.ptp(value[:, 0]) > 1e-3 * value[:, 0].mean(), "the test would not see rows mixed up"
    assert (got.kappa is None) == (model.head.kind == "sigma2") and (got.sigma2 is None) != (got.kappa is None)
    fused = {"none": mu, "sum": mu + mirrored_mu, "concat": np.concatenate([mu, mirrored_mu], 1)}[flip]
    np.testing.assert_allclose(got.mu, fused, atol=1e-4)
    assert got.trained_dim == DIM and got.dim == (2 * DIM if flip == "concat" else DIM)


def test_no_crops_and_no_head():
    got = Embedder(headed("compact"))(crops_of(0))
    assert got.kappa.shape == (0,) and got.trained_dim == DIM
    assert Embedder(headed("pfe"), flip="none")(crops_of(0)).sigma2.shape == (0, DIM)


def test_the_head_computes_in_float32_whatever_the_backbone():
    model = headed("probface")
    embedder = Embedder(model, precision="bfloat16")
    assert embedder.precision == "bfloat16"
    assert {weight.dtype for weight in embedder._runner.head.parameters()} == {torch.float32}
    assert embedder(crops_of(3)).sigma2.shape == (3, 1)
    assert model.head.layers.gamma.requires_grad and not next(embedder._runner.head.parameters()).requires_grad


def test_a_model_without_head_has_no_uncertainty(tmp_path):
    got = Embedder(load(tiny_model(tmp_path / "tiny")))(np.zeros((2, 112, 96, 3), np.uint8))
    assert got.kappa is None and got.sigma2 is None and got.trained_dim == 0
