"""BLUFR and the open-set protocol against longhand over all pairs."""

import json

import numpy as np
import pytest
import search_longhand as longhand

from facepipe.datasets.templates.blufr import Blufr, Trial
from facepipe.datasets.templates.openset import draw_openset
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.identification.blufr import evaluate_blufr
from facepipe.protocols.identification.openset import evaluate_openset
from facepipe.protocols.roc import tar_at_far

PEOPLE, IMAGES, DIM = 60, 180, 6


@pytest.fixture
def made():
    rng = np.random.default_rng(1)
    person = np.r_[np.arange(PEOPLE), rng.integers(0, 20, IMAGES - PEOPLE)] + 1
    mu = rng.normal(size=(PEOPLE + 1, DIM))[person] + 0.7 * rng.normal(size=(IMAGES, DIM))
    names = tuple(f"P{who}/P{who}_{place:04d}" for place, who in enumerate(person))
    order = rng.permutation(IMAGES)
    paths = tuple(f"/lfw/{names[place]}.jpg" for place in order)
    return names, person, mu.astype(np.float32), Embeddings(mu[order].astype(np.float32), "m@1", paths=paths)


def cosines(mu):
    unit = mu.astype(float) / np.linalg.norm(mu.astype(float), axis=1, keepdims=True)
    return unit @ unit.T


def trials(person):
    rng = np.random.default_rng(2)
    for _ in range(3):
        people = rng.permutation(PEOPLE) + 1
        test = np.flatnonzero(np.isin(person, people[:45]))
        gallery = np.array([np.flatnonzero(person == who)[0] for who in people[:20]])
        yield Trial(np.setdiff1d(np.arange(IMAGES), test), test, gallery, np.setdiff1d(test, gallery))


def test_blufr(made, monkeypatch):
    monkeypatch.setattr("facepipe.protocols.score_blocks._SCORES", 1000)
    names, person, mu, embeddings = made
    lists = Blufr(names, person, tuple(trials(person)))
    result = evaluate_blufr(embeddings, lists, fars=(0.1, 0.01, 1e-5), fpirs=(0.2, 0.1, 0.001))
    scores, vr, dirs, first = cosines(mu), [], [], []
    for trial, told in zip(lists.trials, result.to_dict()["trials"], strict=True):
        left, right = (trial.test[index] for index in np.triu_indices(len(trial.test), 1))
        same = person[left] == person[right]
        points = tar_at_far(scores[left, right][same], scores[left, right][~same], [0.1, 0.01])
        vr.append([point.tar for point in points])
        assert [point["tar"] for point in told["tar"]] == [*map(pytest.approx, vr[-1]), None]
        assert [point["threshold"] for point in told["tar"][:2]] == pytest.approx([point.threshold for point in points])
        assert (told["genuine"], told["impostor"]) == (same.sum(), (~same).sum())
        found = longhand.searched(scores[trial.probe][:, trial.gallery], person[trial.gallery], person[trial.probe])
        dirs.append([longhand.tpir(found, fpir, 1) for fpir in (0.2, 0.1)])
        first.append(np.mean([rank == 1 for mated, *_, rank in found if mated]))
        assert [point["tpir"] for point in told["tpir"]] == [*map(pytest.approx, dirs[-1]), None]
    for number, point in enumerate(result.to_dict()["tar"][:2]):
        column = np.array(vr)[:, number]
        assert point["tar"] == pytest.approx(column.mean()) and point["std"] == pytest.approx(column.std(ddof=1))
        assert point["lower"] == pytest.approx(column.mean() - column.std(ddof=1)) and point["trials"] == 3
    for number, point in enumerate(result.to_dict()["dir"][:2]):
        assert point["lower"] == pytest.approx(np.mean(dirs, 0)[number] - np.std(dirs, 0, ddof=1)[number])
    assert result.to_dict()["cmc"]["1"]["share"] == pytest.approx(np.mean(first))
    assert result.to_dict()["tar"][2]["tar"] is result.to_dict()["tar"][2]["lower"] is None
    assert "fewer than 1/FAR (in 3 of 3 trials)" in result.to_dict()["tar"][2]["reason"]
    json.dumps(result.to_dict())


def test_blufr_wants_all_images(made):
    names, person, _, embeddings = made
    lists = Blufr(names, person, tuple(trials(person)))
    with pytest.raises(DatasetError, match=r"not in the embeddings \(1 of 180 images missing\)"):
        evaluate_blufr(embeddings.take(range(1, IMAGES)), lists)
    with pytest.raises(DatasetError, match=r"a rate of 0\.5 needs too many scores"):
        evaluate_blufr(embeddings, lists, fars=(0.5,))


@pytest.mark.parametrize("closed", [False, True])
def test_openset(made, closed):
    names, person, mu, embeddings = made
    lists = draw_openset(names, person, closed, seed=5, mated=15, gallery=40, trials=4)
    result = evaluate_openset(embeddings, lists, fpirs=(0.1, 0.02, 1e-4))
    scores, shares, first = cosines(mu), [], []
    for trial in lists.trials:
        found = longhand.searched(scores[trial.probe][:, trial.gallery], person[trial.gallery], person[trial.probe])
        shares.append([longhand.tpir(found, fpir, 1) for fpir in (0.1, 0.02)])
        first.append(np.mean([rank == 1 for mated, *_, rank in found if mated]))
    assert result.to_dict()["cmc"]["1"]["share"] == pytest.approx(np.mean(first))
    assert result.to_dict()["cmc"]["1"]["std"] == pytest.approx(np.std(first, ddof=1))
    told = [point["tpir"] for point in result.to_dict()["dir"]]
    assert told == ([None] * 3 if closed else [*map(pytest.approx, np.mean(shares, 0)), None])
    assert result.settings["lists"] == "drawn, seed 5" and result.settings["closed"] == closed
