"""Identification with a gallery gives the figures of ``facepipe eval openset``, to the digit."""

import numpy as np
import pytest

from facepipe.datasets.templates.openset import draw_openset
from facepipe.embedding import Embeddings
from facepipe.identification import Gallery, Identifier, decision_at
from facepipe.protocols.identification.openset import evaluate_openset


def faces(seed, score):
    """One to three images of each of 240 people, near enough to each other that some searches go wrong."""
    rng = np.random.default_rng(seed)
    person = np.sort(np.concatenate([np.arange(240), np.arange(90), np.arange(60)]))
    number = np.concatenate([np.arange(count) for count in np.bincount(person)])
    paths = tuple(f"P_{who:03d}/P_{who:03d}_{n + 1:04d}" for who, n in zip(person, number, strict=True))
    mu = rng.normal(size=(240, 12))[person] + 0.7 * rng.normal(size=(len(person), 12))
    fields = {}
    if score == "scf":
        fields = {"kappa": rng.uniform(50, 500, len(person)).astype(np.float32), "trained_dim": 12}
    return Embeddings(mu.astype(np.float32), "net@0", paths=paths, **fields), person


@pytest.mark.parametrize("score", ["cosine", "scf"])
@pytest.mark.parametrize("closed", [False, True])
def test_one_code_path(score, closed):
    embeddings, person = faces(3, score)
    lists = draw_openset(embeddings.paths, person, closed, mated=50, gallery=200, trials=3)
    figures = evaluate_openset(embeddings, lists, score, fpirs=(0.1, 0.02)).to_dict()
    for trial, told in zip(lists.trials, figures["trials"], strict=True):
        own = embeddings.take(trial.gallery)
        gallery = Gallery(own.with_paths([f"{who}/1" for who in person[trial.gallery]]))
        probes, truth = embeddings.take(trial.probe), person[trial.probe].astype(str)
        mated = np.isin(truth, gallery.names)
        nearest = np.array([identity.nearest for identity in Identifier(gallery, decision_at(0), score=score)(probes)])
        assert (nearest == truth)[mated].mean() == told["cmc"]["1"] < 1
        for point in [] if closed else told["tpir"]:
            identifier = Identifier(gallery, decision_at(point["threshold"]), score=score)
            names = np.array([identity.name for identity in identifier(probes)])
            assert (names == truth)[mated].mean() == point["tpir"]
            assert 0 < (names != "unknown")[~mated].mean() <= point["fpir"]
