"""``--warp device``: the same embeddings, with crops cut where the network runs."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.alignment.device_aligner import DeviceAligner
from facepipe.embedding import load_embeddings
from facepipe.images import write_rgb


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return tiny_model(root / "tiny"), tiny_model(root / "sure", "compact")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    """One face in several sizes and places, a wall, and what is no image."""
    root = tmp_path_factory.mktemp("photos")
    for number, side in enumerate((150, 150, 400, 1000)):
        photo = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
        write_rgb(root / "Ada" / f"Ada_{number + 1:04d}.png", np.roll(photo, -40 * number, axis=1))
    write_rgb(root / "wall.png", np.full((80, 90, 3), 99, np.uint8))
    (root / "text.jpg").write_text("no image")
    return root


@pytest.fixture
def planned(monkeypatch):
    """Counts the crops that were cut on the device."""
    seen = []
    usual = DeviceAligner.stack
    monkeypatch.setattr(DeviceAligner, "stack", lambda self, crops: seen.append(len(crops)) or usual(self, crops))
    return seen


def both(tmp_path, *words):
    made = []
    for warp in ("host", "device"):
        out = tmp_path / f"{warp}.parquet"
        ended = run("embed", *words, "--engine", "torch", "--warp", warp, "-o", out)
        assert ended.code in (0, 1), ended.err
        made.append(load_embeddings(out))
    return made


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("ensemble", [False, True])
def test_embeddings_are_the_hosts(photos, models, tmp_path, planned, ensemble):
    named = ["-m", models[1], *(["-m", models[0]] if ensemble else [])]
    host, device = both(tmp_path, photos, *named, "--on-miss", "centre")
    assert planned == [5] * (1 + ensemble)
    assert device.paths == host.paths and device.failed == host.failed and len(device) == 5
    assert device.detected.tolist() == host.detected.tolist() == [False] + [True] * 4
    assert device.findings == host.findings
    np.testing.assert_array_equal(device.detection_score, host.detection_score)
    assert cosines(device.mu, host.mu).min() > 0.999
    if not ensemble:
        np.testing.assert_allclose(device.kappa, host.kappa, rtol=0.01)


def test_a_file_is_brought_up_to_date_with_either(photos, models, tmp_path, planned):
    """As with engines: they differ less than one grey level, so nothing is embedded again."""
    words = ["embed", photos / "Ada", "-m", models[0], "-o", tmp_path / "e.parquet", "--json"]
    assert run(*words).json["embedded"] == 4
    again = run(*words, "--warp", "device").json
    assert again["changes"] is not None and not planned


def test_without_an_engine_named_it_is_pytorch(photos, models, tmp_path, planned):
    ended = run("embed", photos / "Ada", "-m", models[0], "-o", tmp_path / "e.parquet", "--warp", "device", "--json")
    assert ended.json["engine"] == "torch" and planned == [4]


def test_the_onnx_engine_has_no_device(photos, models, tmp_path):
    words = ["-m", models[0], "--warp", "device", "--engine", "onnx"]
    line = "--engine onnx runs on the CPU in float32, not with --warp device; use --engine torch"
    assert refused("embed", photos, "-o", tmp_path / "e.parquet", *words) == line
    (tmp_path / "pairs.txt").write_text("Ada/Ada_0001.png Ada/Ada_0002.png 1\n")
    assert refused("eval", "pairs", photos, "--pairs", tmp_path / "pairs.txt", *words) == line


def test_a_sheet_of_the_same_faces(photos, models, tmp_path):
    words = ["embed", photos, "-m", models[1], "--engine", "torch"]
    for warp in ("host", "device"):
        assert run(*words, "--warp", warp, "--sheet", tmp_path / f"{warp}.png").code in (0, 1)
    assert (tmp_path / "host.png").read_bytes() == (tmp_path / "device.png").read_bytes()


def test_evaluations(photos, models, tmp_path, planned):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("Ada/Ada_0001.png Ada/Ada_0002.png 1\nAda/Ada_0003.png Ada/Ada_0004.png 0\n")
    saved = []
    for warp in ("host", "device"):
        out = tmp_path / f"{warp}.parquet"
        words = ["--pairs", pairs, "-m", models[0], "--engine", "torch", "--save", out, "--warp", warp]
        ended = run("eval", "pairs", photos, *words, "--json")
        assert ended.code == 0, ended.err
        saved.append(load_embeddings(out))
    assert planned == [4]
    assert cosines(saved[0].mu, saved[1].mu).min() > 0.999


def test_damaged_copies_are_made_on_the_host(photos, models, tmp_path):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("Ada/Ada_0001.png Ada/Ada_0002.png 1\nAda/Ada_0003.png Ada/Ada_0004.png 0\n")
    line = refused("eval", "risk", photos, "--pairs", pairs, "-m", models[0], "--damage", "standard",
                   "--fmr", 0.5, "--warp", "device")  # fmt: skip
    assert line == "--warp device: crops are damaged on the host; leave it out"


def test_aligned_crops_pass_through(models, tmp_path, planned):
    write_rgb(tmp_path / "crops" / "a.png", np.random.default_rng(0).integers(0, 256, (112, 96, 3), np.uint8))
    host, device = both(tmp_path, tmp_path / "crops", "-m", models[0], "--already-aligned")
    np.testing.assert_allclose(device.mu, host.mu, atol=1e-6)
