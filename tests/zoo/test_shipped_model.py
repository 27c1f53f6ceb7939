"""The model that ships: at hand without a network, small, and what its card says."""

import json
import os
import subprocess
import sys

import pytest
from cli_run import run
from PIL import Image

from facepipe.zoo import DEFAULT, cached_weights, find_card, load

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(astronaut, tmp_path):
    image = Image.fromarray(astronaut)
    image.save(tmp_path / "a.png")
    image.crop((60, 0, 460, 400)).resize((300, 300)).save(tmp_path / "b.jpg", quality=60)
    return tmp_path / "a.png", tmp_path / "b.jpg"


def test_it_fits_the_wheel_and_is_whole():
    card = find_card(DEFAULT)
    assert cached_weights(card).stat().st_size == card.weights.size_bytes <= 25_000_000
    model = load(DEFAULT)
    assert model.head is not None and model.head.kind == "kappa"
    assert {t.far for t in card.thresholds if t.score == "cosine"} >= {1e-2, 1e-3, 1e-4}
    assert {t.score for t in card.thresholds} == {curve.score for curve in card.probabilities} == {"cosine", "scf"}
    for score in ("cosine", "scf"):
        assert {t.far for t in card.thresholds_of(score)} >= {1e-2, 1e-3, 1e-4, 1e-5}
        assert {t.far for t in card.thresholds_of(score, population="alike")} >= {1e-1, 1e-2, 1e-3}
    assert card.probability_of().interaction and not card.probability_of("scf").interaction
    assert card.source.licence and card.source.training_data
    assert card.use.intended and card.use.not_for and card.use.accuracy and card.use.weaknesses and card.use.made_by


def test_compare_without_flags_cache_or_network(photos, tmp_path):
    """In a process of its own, where every connection fails and nothing was fetched before."""
    script = (
        "import socket, sys\n"
        "def refuse(*words, **more): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "from facepipe.cli.main import main\n"
        "sys.argv[1:] = ['compare', *sys.argv[1:], '--json', '--save', 'both.jpg']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, photos)], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"FACEPIPE_CACHE": str(tmp_path / "none")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] and told["probability"] > 0.99 and told["prior"] == 0.5
    assert told["model"].startswith(f"{DEFAULT}@") and all(face["kappa"] > 0 for face in told["images"])
    assert Image.open(tmp_path / "both.jpg").width > 300
    assert not (tmp_path / "none").exists()


def test_prior_and_words(photos):
    rare = run("compare", *photos, "--prior", "1e-6", "--json").json
    assert rare["probability"] < run("compare", *photos, "--json").json["probability"]
    ended = run("compare", *photos)
    assert "probability of the same person: " in ended.out and "more confident than for" in ended.out
    scf = run("compare", *photos, "--score", "scf", "--json").json
    assert scf["same"] and scf["probability"] > 0.9
    assert run("compare", *photos, "--prior", "1").code == 2


def test_demo_decides_with_probability_and_confidence(tmp_path):
    ended = run("demo", "-o", tmp_path / "demo.jpg")
    assert ended.code == 0 and "different people" in ended.out
    assert "probability of the same person" in ended.out and "kappa" in ended.out
    assert (tmp_path / "demo.jpg").is_file()
