"""``--score scf`` (Eq. 13) and ``--pool kappa`` (Eq. 14) as the commands of protocols give them to a model with κ."""

import pickle

import numpy as np
import pytest
from cli_run import run, tiny_model
from sklearn.metrics import roc_auc_score
from verification_folders import crop, write_crops

from facepipe.embedding import load_embeddings
from facepipe.images import encode_rgb
from facepipe.score import pool, score_pairs

PEOPLE = 6
SCORE = ["--score", "scf", "--json"]


@pytest.fixture(scope="module")
def sure(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "sure", "compact")


def assert_eq_13(told, embeddings, left, right, same):
    """The area under its curve, and a threshold among its values, none of which is a cosine's."""
    scores = score_pairs("scf", embeddings, left, right)
    assert told["settings"]["score"] == "scf"
    assert told["auc"] == pytest.approx(roc_auc_score(same, scores), abs=1e-9)
    assert scores.max() < -2 and scores.min() <= told["folds"][0]["threshold"] <= scores.max()


def test_pairs_in_every_form_of_list(sure, tmp_path):
    names = {f"P{p}/P{p}_{k:04d}.png": (p, k) for p in range(PEOPLE) for k in range(1, 5)}
    crops = write_crops(tmp_path / "crops", names)
    pairs = [(p, k, q, k % 4 + 1) for p in range(PEOPLE) for k in range(1, 5) for q in (p, (p + 1) % PEOPLE)]
    same = [p == q for p, _, q, _ in pairs]
    csv, lfw = tmp_path / "pairs.csv", tmp_path / "pairs.txt"
    lines = [f"P{p}/P{p}_{a:04d}.png,P{q}/P{q}_{b:04d}.png,{int(p == q)},{a}" for p, a, q, b in pairs]
    csv.write_text("\n".join(["a,b,same,fold", *lines]) + "\n")
    folds = [[pair for pair in pairs if pair[1] == fold] for fold in range(1, 5)]
    lines = [f"P{p}\t{a}\t{b}" if p == q else f"P{p}\t{a}\tP{q}\t{b}" for fold in folds for p, a, q, b in sorted(
        fold, key=lambda pair: pair[0] != pair[2])]  # fmt: skip
    lfw.write_text("\n".join([f"4\t{PEOPLE}", *lines]) + "\n")
    saved = tmp_path / "e.parquet"
    words = ["-m", sure, "--already-aligned", "--pairs"]
    told = run("eval", "pairs", crops, *words, csv, *SCORE, "--save", saved).json
    embeddings = load_embeddings(saved)
    row = {path.rpartition("/")[2]: number for number, path in enumerate(embeddings.paths)}
    left = np.array([row[f"P{p}_{a:04d}.png"] for p, a, _, _ in pairs])
    right = np.array([row[f"P{q}_{b:04d}.png"] for _, _, q, b in pairs])
    assert_eq_13(told, embeddings, left, right, same)
    assert run("eval", "pairs", saved, "--pairs", csv, *SCORE).json == told
    assert run("eval", "lfw", crops, *words, lfw, *SCORE).json["auc"] == pytest.approx(told["auc"], abs=1e-9)


def test_bin(sure, tmp_path):
    images = [(n % PEOPLE, n % 4, (n + n % 2) % PEOPLE, 5 + n % 3) for n in range(40)]
    same = [p == q for p, _, q, _ in images]
    encoded = [encode_rgb(crop(*face), ".png") for p, a, q, b in images for face in ((p, a), (q, b))]
    (tmp_path / "x.bin").write_bytes(pickle.dumps((encoded, same)))
    saved = tmp_path / "e.parquet"
    told = run("eval", "bin", tmp_path / "x.bin", "-m", sure, *SCORE, "--save", saved).json
    embeddings = load_embeddings(saved)
    first = {}
    for number, data in enumerate(encoded):
        first.setdefault(data, number)
    names = sorted(first.values())
    assert len(embeddings) == len(names)
    row = {data: names.index(number) for data, number in first.items()}
    left, right = (np.array([row[data] for data in encoded[side::2]]) for side in (0, 1))
    assert_eq_13(told, embeddings, left, right, same)


def test_ytf_pooled_by_kappa(sure, tmp_path):
    videos = [(p, v) for p in range(PEOPLE) for v in range(2)]
    for p, v in videos:
        write_crops(tmp_path / "db", {f"P{p}/{v}/{v}.{k}.jpg": (p, 10 * v + k) for k in range(3)})
    pairs = [(p, q) for p in range(PEOPLE) for q in (p, (p + 1) % PEOPLE)]
    lines = [f"{1 + p % 2}, {n}, P{p}/0, P{q}/1, {int(p == q)}" for n, (p, q) in enumerate(pairs)]
    (tmp_path / "splits.txt").write_text("\n".join(["split, pair, first, second, same", *lines]) + "\n")
    saved, words = tmp_path / "e.parquet", ["--splits", tmp_path / "splits.txt", "--pool", "kappa", *SCORE]
    told = run("eval", "ytf", tmp_path / "db", "-m", sure, "--already-aligned", *words, "--save", saved).json
    assert told["settings"]["pool"] == "kappa" and run("eval", "ytf", saved, *words).json == told
    frames = load_embeddings(saved)
    parents = [path.split("/")[-3:-1] for path in frames.paths]
    video = np.array([videos.index((int(person[1:]), int(number))) for person, number in parents])
    pooled = pool(frames, video, "kappa", count=len(videos))
    left, right = (np.array([videos.index((pair[side], side)) for pair in pairs]) for side in (0, 1))
    assert_eq_13(told, pooled, left, right, [p == q for p, q in pairs])
