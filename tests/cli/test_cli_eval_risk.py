"""``facepipe eval risk``."""

import csv
import importlib
import json

import cv2
import pytest
from cli_run import refused, run, tiny_model

from facepipe.embedding import load_embeddings
from facepipe.images import read_rgb, write_rgb

pytestmark = pytest.mark.slow
PEOPLE = [f"P{number}" for number in range(10)]


@pytest.fixture(scope="module")
def data(tmp_path_factory, astronaut):
    """Aligned crops of ten people, two each: windows of one photo, so that all differ; pairs in ten folds."""
    root = tmp_path_factory.mktemp("risk")
    for number, name in enumerate(PEOPLE):
        for image in (1, 2):
            left = 90 + 60 * (image - 1) * (number % 2)
            window = astronaut[20 * number : 20 * number + 150 + image, left : left + 150]
            write_rgb(root / "crops" / name / f"{name}_{image:04d}.png", cv2.resize(window, (96, 112)))
    lines = ["10 3"]
    for fold in range(10):
        lines += [f"{PEOPLE[(fold + k) % 10]} 1 2" for k in range(3)]
        lines += [f"{PEOPLE[fold]} {1 + k % 2} {PEOPLE[(fold + k + 1) % 10]} 2" for k in range(3)]
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    return root, tiny_model(root / "model")


@pytest.fixture(scope="module")
def words(data):
    root, model = data
    pairs = root / "pairs.txt"
    return ["eval", "risk", root / "crops", "--pairs", pairs, "--already-aligned", "-m", model, "--fmr", 0.1]


def test_json(words):
    ended = run(*words, "--confidence", "norm", "--confidence", "random", "--json")
    told = ended.json
    assert told["protocol"] == "risk" and told["pairs"] == 60 and told["images"] == 20
    assert list(told["table"]) == ["norm", "random"] and list(told["curves"]) == ["norm", "random", "ideal"]
    assert [row["rejected"] for row in told["table"]["norm"]] == [0, 0.1, 0.2, 0.3]
    assert told["table"]["norm"][0]["kept"] == 60
    assert told["settings"]["damage"] is None and told["settings"]["model"].startswith("tiny@")
    assert told["relative_area"]["ideal"] == 0


def test_for_people(words):
    ended = run(*words)
    assert ended.code == 0
    for word in ("norm", "random", "ideal", "AUERC", "-0 %", "-30 %", "60 pairs"):
        assert word in ended.out
    assert "0 for an oracle" in ended.err and "kappa" not in ended.out


def test_damage_saved_and_again(words, tmp_path):
    outputs = ["--plot", tmp_path / "a.png", "--csv", tmp_path / "a.csv", "--sheet", tmp_path / "a.jpg"]
    kept = tmp_path / "kept.parquet"
    first = run(*words, "--damage", "standard", "--confidence", "norm", *outputs, "--save", kept, "--json").json
    assert first["pairs"] == 120 and first["settings"]["damage"] == "standard" and 20 < first["images"] <= 40
    assert read_rgb(tmp_path / "a.png").shape[2] == 3 and read_rgb(tmp_path / "a.jpg").shape[1] > 12 * 96
    paths = load_embeddings(kept).paths
    assert len(paths) == 40 and sum("#standard." in path for path in paths) == 20
    pairs = words[words.index("--pairs") + 1]
    again = run("eval", "risk", kept, "--pairs", pairs, "--damage", "standard", "--confidence", "norm",
                "--fmr", 0.1, "--json").json
    assert again == first
    clean = run("eval", "risk", kept, "--pairs", pairs, "--confidence", "norm", "--fmr", 0.1, "--json").json
    assert clean["pairs"] == 60


def test_csv(words, tmp_path):
    told = run(*words, "--confidence", "norm", "--csv", tmp_path / "a.csv", "--json").json
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["confidence"] for row in rows] == ["norm"] * 100 + ["ideal"] * 100
    assert [float(row["fnmr"]) for row in rows[:100]] == told["curves"]["norm"]["fnmr"]
    given = {float(row["rejected"]): float(row["accuracy"]) for row in rows if row["accuracy"]}
    assert given == {row["rejected"]: row["accuracy"] for row in told["table"]["norm"]}


def test_heads_of_one_backbone_side_by_side(data, tmp_path):
    root, _ = data
    words = ["eval", "risk", root / "crops", "--pairs", root / "pairs.txt", "--already-aligned", "--fmr", 0.1]
    kappa, sigma2 = (tiny_model(tmp_path / head, head) for head in ("compact", "probface"))
    before = tmp_path / "sigma2.json"
    before.write_text(run(*words, "-m", sigma2, "--json").out)
    told = run(*words, "-m", kappa, "--with-results", before, "--csv", tmp_path / "a.csv", "--json").json
    assert list(told["table"]) == ["kappa", "sigma2", "norm", "random"]
    assert told["table"]["sigma2"] == json.loads(before.read_text())["table"]["sigma2"]
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert {row["confidence"] for row in rows} == {"kappa", "sigma2", "norm", "random", "ideal"}
    ended = run(*words, "-m", kappa, "--with-results", before, "--plot", tmp_path / "a.png")
    assert "kappa" in ended.out and "sigma2" in ended.out and (tmp_path / "a.png").is_file()
    told = refused(*words, "-m", kappa, "--with-results", before, "--damage", "standard")
    assert "made with different damage" in told
    for name in ("--with-results", "--beside"):  # its name before
        assert "gone.json: no such file" in refused(*words, "-m", kappa, name, tmp_path / "gone.json")
    assert "--beside" not in run("eval", "risk", "--help").out


def test_detection_scores_of_damaged_crops(words):
    told = run(*words, "--damage", "standard", "--confidence", "detection_score", "--preset", "fast", "--json")
    assert told.code == 0 and "detection_score" in told.json["table"]


def test_errors_are_one_line(words, tmp_path, data):
    root, _ = data
    assert "have no kappa" in refused(*words, "--confidence", "kappa")
    assert "cannot write .gif; the name must end in .png" in refused(*words, "--plot", tmp_path / "a.gif")
    assert "--fmr" in run(*words[:-1], 1.5).err
    assert "30 pairs of different people" in refused(*words[:-2])
    plain = tmp_path / "plain.parquet"
    run(*words, "--save", plain)
    pairs = root / "pairs.txt"
    line = refused("eval", "risk", plain, "--pairs", pairs, "--damage", "standard", "--fmr", 0.1)
    assert line.startswith(f"{plain}: contains no damaged copies")
    assert "needs the images" in refused("eval", "risk", plain, "--pairs", pairs, "--sheet", tmp_path / "s.jpg")


def test_too_few_impostors_are_told_before_the_work(words, monkeypatch, tmp_path):
    """No image is looked at, and the least rate that can be had is said."""
    risk = importlib.import_module("facepipe.evaluation.protocols.risk")
    monkeypatch.setattr(risk, "embeddings_of_pairs", lambda *_: pytest.fail("worked first"))
    told = refused(*words[:-1], 1e-3)
    assert "pairs.txt: 30 pairs of different people, and a false-match rate of 0.001 needs 1000" in told
    assert told.endswith("; the lowest possible fmr is 0.034")
    assert "60 pairs of different people" in refused(*words[:-1], 1e-3, "--damage", "standard")
    (tmp_path / "pairs.csv").write_text("a,b,same\np,q,0\n")
    assert "no pairs of one person" in refused(*words[:4], tmp_path / "pairs.csv", *words[5:])
