"""``facepipe inspect`` as a user meets it."""

from dataclasses import replace

import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from PIL import Image

from facepipe.embedding import Embeddings, load_embeddings, save_embeddings
from facepipe.losses import angular_fisher_score
from facepipe.train.toy import TOY_LOSSES, train_toy
from facepipe.zoo import Probability, read_card, save_card


@pytest.fixture()
def people(tmp_path):
    mu = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    mu[:, 0] += np.repeat([5, -5, 0], 4)
    paths = [f"photos/person {row // 4}/{row % 4}.jpg" for row in range(12)]
    file = tmp_path / "people.parquet"
    save_embeddings(file, Embeddings(mu, "tiny@0", "none").with_paths(paths))
    return file, mu


def test_angles(people, tmp_path):
    file, mu = people
    picture = tmp_path / "angles.png"
    done = run("inspect", "angles", str(file), "-o", str(picture), "--json")
    answer = done.json
    assert (answer["identities"], answer["same_pairs"]) == (3, 18)
    assert answer["fisher"] == pytest.approx(angular_fisher_score(mu, np.repeat([0, 1, 2], 4)))
    assert answer["same_degrees"] < answer["different_degrees"]
    assert Image.open(picture).size[0] > 300


def test_angles_of_nothing(tmp_path):
    file = tmp_path / "none.parquet"
    save_embeddings(file, Embeddings(np.zeros((0, 8), np.float32), "tiny@0", "none"))
    done = run("inspect", "angles", str(file))
    assert done.code == 2 and "none.parquet: contains no embeddings" in done.err


@pytest.mark.slow
def test_toy_picture(tmp_path):
    picture = tmp_path / "toy.png"
    done = run("inspect", "toy", "-o", str(picture), "--steps", "2", "--json")
    rows = done.json
    assert [(row["loss"], row["dim"]) for row in rows] == [(loss.title, dim) for dim in (2, 3) for loss in TOY_LOSSES]
    assert Image.open(picture).size[0] > 1000


@pytest.mark.slow
def test_toy_learns_and_repeats():
    first, second = (train_toy(TOY_LOSSES[1], 3, seed=1, steps=150) for _ in range(2))
    assert first.accuracy > 0.8
    np.testing.assert_array_equal(first.features, second.features)


def test_reliability_of_a_card_with_a_curve(people, tmp_path):
    file, _ = people
    model = tiny_model(tmp_path / "tiny")
    card = read_card(model / "card.toml")
    (tmp_path / "p.csv").touch()
    line = refused("inspect", "reliability", file, "--pairs", tmp_path / "p.csv", "--format", "csv", "-m", model)
    assert f"{file}: made by tiny@0, not by {card.identity}" in line
    loaded = load_embeddings(file)
    save_embeddings(file, Embeddings(loaded.mu, card.identity, "none").with_paths(list(loaded.paths)))
    (tmp_path / "p.csv").write_text("a,b,same\nperson 0/0,person 0/1,1\nperson 0/0,person 1/1,0\n")
    words = ["inspect", "reliability", file, "--pairs", tmp_path / "p.csv", "--format", "csv", "-m", model]
    assert "has no probabilities for cosine scores" in refused(*words)
    curve = Probability(flip="none", slope=20.0, offset=-6.0, fitted_on="nobody")
    save_card(replace(card, probabilities=(curve,)), model / "card.toml")
    told = run(*words, "-o", tmp_path / "r.png", "--json").json
    assert (told["pairs"], told["prior"], sum(one["pairs"] for one in told["bins"])) == (2, 0.5, 2)
    assert 0 <= told["cllr_bits"] < 0.2 and told["middle_pairs"] <= 2
    assert told["brier"] < 0.05 and Image.open(tmp_path / "r.png").size[0] > 300
    assert "expected calibration error" in run(*words).out
