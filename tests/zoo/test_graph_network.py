"""Models by the ONNX engine: the one that ships, and any network of PyTorch's as a graph."""

import sys

import numpy as np
import pytest
import torch

from facepipe import backbones, uncertainty
from facepipe.embedding import Embedder
from facepipe.engines import open_session
from facepipe.errors import DeviceError, ModelError
from facepipe.graphs import read_graph
from facepipe.zoo import DEFAULT, cached_weights, find_card, load
from facepipe.zoo.loading import has_graph
from facepipe.zoo.outline import outline_path
from facepipe.zoo.torch_graph import graph_of


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)


@pytest.fixture(scope="module")
def by_torch(crops):
    return Embedder(load(DEFAULT), precision="float32")(crops)


@pytest.mark.parametrize("library", ["onnxruntime", "opencv"])
def test_the_model_that_ships(crops, by_torch, library, monkeypatch):
    if library == "opencv":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = load(DEFAULT, engine="onnx")
    embedder = Embedder(model, batch_size=2)
    got = embedder(crops)
    assert model.network.library == library and (embedder.engine, got.precision) == ("onnx", "float32")
    assert (got.model, got.flip, got.trained_dim) == (by_torch.model, by_torch.flip, by_torch.trained_dim)
    np.testing.assert_allclose(got.mu, by_torch.mu, rtol=0, atol=1e-4 * np.abs(by_torch.mu).max())
    np.testing.assert_allclose(got.kappa, by_torch.kappa, rtol=1e-3)
    assert len(embedder(crops[:0])) == 0
    with pytest.raises(DeviceError, match="float32; use engine='torch'"):
        Embedder(model, precision="bfloat16")


def test_weights_are_there_once():
    card = find_card(DEFAULT)
    outline = outline_path(cached_weights(card))
    assert outline.stat().st_size < 100_000
    assert read_graph(outline).metadata["facepipe.weights"] == card.weights.sha256


def test_a_model_without_a_graph_says_what_to_do(tmp_path):
    from facepipe.zoo import export_model

    card = export_model(DEFAULT, tmp_path)
    graph = card.with_suffix(".onnx")
    assert has_graph(card) and load(card, engine="onnx").head.kind == "kappa"
    graph.write_bytes(graph.read_bytes().replace(find_card(DEFAULT).weights.sha256.encode(), b"0" * 64))
    with pytest.raises(ModelError, match="the graph does not belong to the weights"):
        load(card, engine="onnx")
    graph.unlink()
    assert not has_graph(card)
    with pytest.raises(ModelError, match=r"its weights have no graph .*facepipe models export"):
        load(card, engine="onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "head"),
    [("sphereface4", None), ("mobilenet", "compact"), ("mobilefacenet", None), ("iresnet18", "conv"), ("ir34", None),
     ("resface64", "probface"), ("pfe_sphere64", "pfe")],
)  # fmt: skip
def test_every_kind_of_network_as_a_graph(name, head, one_thread):
    torch.manual_seed(0)
    backbone = backbones.create(name, input_size=(32, 32), embedding_dim=16)
    parts = {"backbone": backbone}
    if head:
        parts["head"] = uncertainty.create(
            head, feature_shape=backbone.feature_shape, embedding_dim=16, stage_channels=backbone.stage_channels
        )
    module = Both(**parts).eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
        if isinstance(layer, torch.nn.Linear):  # a fresh head gives one number whatever it sees
            torch.nn.init.normal_(layer.weight, std=0.05)
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = module(x)
    session = open_session(graph_of(module, x[:2], ["embedding", "log_kappa"][: len(parts)]), 1)
    for rows in (3, 1):
        for ours, theirs in zip(session(x.numpy()[:rows]), expected, strict=True):
            theirs = theirs.numpy()[:rows]
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


class Both(torch.nn.Module):
    def __init__(self, backbone, head=None):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x):
        if self.head is None:
            return (self.backbone(x),)
        maps = self.backbone.maps(x)
        return self.backbone.head(maps[-1]), self.head(maps)


def test_an_operation_without_a_counterpart_is_named():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.fft.fft(x.flatten(1)).real

    with pytest.raises(ModelError, match=r"aten\.fft.* is not supported by facepipe's ONNX export"):
        graph_of(Odd(), torch.zeros(2, 3, 4, 4), ["embedding"])
