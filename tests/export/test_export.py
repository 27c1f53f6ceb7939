"""Models as ONNX files: what they give is what the model gives; a pipeline runs without facepipe."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from cli_run import run
from face_pack import PACKAGED, cut_to_box, turned

from facepipe import backbones
from facepipe.api.pipeline import Pipeline
from facepipe.embedding import Embedder
from facepipe.errors import ModelError
from facepipe.export import export_mtcnn, export_onnx, export_pipeline
from facepipe.files import OutputError
from facepipe.graphs import Graph, Node, Value, graph_bytes, parse_graph
from facepipe.graphs.constants import fold_constants
from facepipe.graphs.stored import store_weights
from facepipe.zoo import DEFAULT, find_card, import_foreign, load
from facepipe.zoo.onnx_card import card_of


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(crops):
    return Embedder(load(DEFAULT), precision="float32")(crops)


@pytest.mark.parametrize("whole", [False, True])
def test_the_file_gives_what_the_model_gives(tmp_path, crops, expected, whole):
    made = export_onnx(DEFAULT, tmp_path / "m.onnx", whole=whole)
    assert (made.model, made.numbers, made.size_bytes) == (DEFAULT, "float32", (tmp_path / "m.onnx").stat().st_size)
    assert made.difference < 1e-4 and made.least_cosine > 0.999999
    got = Embedder(load(tmp_path / "m.onnx", engine="onnx"))(crops)
    assert got.model == expected.model and got.flip == ("none" if whole else expected.flip)
    np.testing.assert_allclose(got.mu, expected.mu, rtol=0, atol=1e-4 * np.abs(expected.mu).max())
    np.testing.assert_allclose(got.kappa, expected.kappa, rtol=1e-3)
    card, own = card_of(tmp_path / "m.onnx"), find_card(DEFAULT)
    assert card.threshold_at(1e-3).value == own.threshold_at(1e-3).value
    assert card.uncertainty == own.uncertainty and card.input.mean == (0 if whole else own.input.mean)
    with pytest.raises(OutputError):
        export_onnx(DEFAULT, tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "share", "cosine"), [("float16", 0.55, 0.99999), ("int8", 0.3, 0.98)])
def test_smaller_files(tmp_path, numbers, share, cosine, expected, crops):
    made = export_onnx(DEFAULT, tmp_path / "m.onnx", numbers=numbers)
    assert made.size_bytes < share * 40e6 and cosine < made.least_cosine <= 1.0000001
    got = Embedder(load(tmp_path / "m.onnx", engine="onnx"))(crops)
    assert got.model == expected.model.replace(DEFAULT, f"{DEFAULT}-{numbers}"), "not to be mixed with the model's own"


@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
def test_scaling_and_flip_rule_go_inside(tmp_path, monkeypatch, flip):
    """A foreign network in BGR: longhand from pixels."""
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    network = backbones.create("sphereface4", input_size=(112, 96), embedding_dim=8, width=0.125).eval()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    feed = replace(find_card("mobilefacenet-casia").input, channels="bgr", mean=100.0, scale=50.0)
    import_foreign("own", tmp_path / "net.pt", backbone="sphereface4", input=feed, flip=flip, embedding_dim=8,
                   backbone_options={"width": 0.125})  # fmt: skip
    export_onnx("own", tmp_path / "own.onnx", whole=True)
    crops = np.random.default_rng(1).integers(0, 256, (2, 112, 96, 3), np.uint8)

    def embed(views):
        x = torch.from_numpy((views[..., ::-1].astype(np.float32) - 100) / 50).permute(0, 3, 1, 2)
        with torch.no_grad():
            return network(x.contiguous()).numpy()

    straight, mirrored = embed(crops), embed(crops[:, :, ::-1])
    longhand = {"none": straight, "sum": straight + mirrored, "concat": np.concatenate([straight, mirrored], 1)}[flip]
    network_ = cv2.dnn.readNetFromONNX(str(tmp_path / "own.onnx"))
    network_.setInput(np.ascontiguousarray(crops.transpose(0, 3, 1, 2).astype(np.float32)))
    np.testing.assert_allclose(network_.forward(), longhand, rtol=0, atol=1e-4 * np.abs(longhand).max())


def test_int8_weights_longhand():
    weights = np.random.default_rng(0).normal(size=(8, 200)).astype(np.float32)
    weights[3] = 0
    nodes = [Node("Gemm", ["x", "w"], ["y"], {"transB": 1})]
    graph = Graph(nodes, {"w": weights.copy()}, [Value("x", ["N", 200])], [Value("y", ["N", 8])])
    store_weights(graph, "int8")
    assert graph.constants["w/stored"].dtype == np.int8
    fold_constants(graph)
    step = np.abs(weights).max(1, keepdims=True) / 127
    np.testing.assert_allclose(graph.constants["w"], np.rint(weights / np.where(step, step, 1)) * step, atol=1e-6)
    with pytest.raises(ModelError, match="weights in int4: choose one of float32, float16, int8"):
        store_weights(graph, "int4")


def test_a_file_without_a_card_says_what_to_do(tmp_path):
    (file,) = [path for path in export_mtcnn(tmp_path) if path.stem == "rnet"]
    assert parse_graph(file.read_bytes()).outputs[0].name == "probability"
    with pytest.raises(ModelError, match=r"rnet\.onnx: has no embedded card; 'facepipe models import NAME rnet\.onnx'"):
        load(file)


@pytest.mark.slow
def test_card_and_graph_agree_on_a_head(tmp_path):
    export_onnx(DEFAULT, tmp_path / "m.onnx")
    graph = parse_graph((tmp_path / "m.onnx").read_bytes())
    del graph.outputs[1:]
    (tmp_path / "m.onnx").write_bytes(graph_bytes(graph))
    with pytest.raises(ModelError, match="disagree about an uncertainty head"):
        load(tmp_path / "m.onnx", engine="onnx")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("product") / "pipeline"
    export_pipeline(DEFAULT, folder, numbers="float16")
    return folder


@pytest.mark.slow
def test_the_pipeline_finds_and_compares_as_facepipe_does(pipeline, monkeypatch):
    monkeypatch.syspath_prepend(str(pipeline))
    from face_pipeline import FacePipeline

    theirs, ours = Pipeline(engine="onnx"), FacePipeline(pipeline)
    faces = [make() for make in PACKAGED.values()]
    photos = [face.pixels for face in faces] + [cut_to_box(face, -0.05).pixels for face in faces]
    for pixels in [*photos, turned(faces[0], 1).pixels, np.zeros((50, 50, 3), np.uint8)]:
        mine, other = ours.detect(pixels[..., ::-1]), theirs.detect(pixels)
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a.landmarks, b.landmarks, rtol=0, atol=0.05)
            np.testing.assert_allclose(a.box, b.box, rtol=0, atol=0.1)
    mine = ours.compare(photos[0][..., ::-1], photos[2][..., ::-1])
    other = theirs.compare(photos[0], photos[2])
    assert mine["same"] and mine["score"] == pytest.approx(other.score, abs=2e-3)
    assert mine["threshold"] == other.threshold
    assert mine["faces"][0].kappa == pytest.approx(other.faces[0].kappa, rel=1e-2)


@pytest.mark.slow
def test_the_pipeline_needs_numpy_and_opencv_alone(pipeline, tmp_path):
    shutil.copytree(pipeline, tmp_path / "product")
    astronaut = PACKAGED["astronaut"]()
    cv2.imwrite(str(tmp_path / "a.png"), astronaut.pixels[:256, ::-1])
    script = (
        "import sys, cv2\n"
        "sys.modules.update(dict.fromkeys(['torch', 'onnxruntime', 'onnx', 'facepipe', 'pydantic', 'safetensors']))\n"
        "from face_pipeline import FacePipeline\n"
        "photo = cv2.imread('../a.png')\n"
        "print(FacePipeline().compare(photo, photo)['score'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path / "product")
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) == pytest.approx(1)
    settings = json.loads((pipeline / "pipeline.json").read_text())
    assert settings["licences"]["mtcnn"]["licence"] and settings["licences"]["embedder"]["licence"]


@pytest.mark.slow
def test_command(tmp_path):
    told = run("models", "export", DEFAULT, tmp_path / "m.onnx", "--weights", "int8", "--json").json
    assert told["numbers"] == "int8" and 0.98 < told["least_cosine"] < 1
    assert "pnet.onnx" in run("models", "export", "mtcnn", tmp_path / "nets").out
    refused = run("models", "export", DEFAULT, tmp_path / "folder", "--whole")
    assert refused.code == 2 and "OUT must end in .onnx" in refused.err
