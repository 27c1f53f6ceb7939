"""IJB-A over its splits, against longhand; and the real lists with made-up embeddings."""

import numpy as np
import pytest
import search_longhand as longhand

from facepipe.datasets.templates.ijba import SearchSplit, TemplateFaces, VerifySplit, read_verify_split
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.identification.trials import MeanShare, MeanTar, mean_shares, mean_tar
from facepipe.protocols.ijb.ijba import evaluate_ijba_search, evaluate_ijba_verify, search_names, verify_names
from facepipe.protocols.ijb.template_pooling import TemplateRecipe
from facepipe.protocols.roc import OperatingPoint, tar_at_far

DIM = 5


def listed(rng, templates, first, subjects=8):
    """A list of faces; some are in several templates, and template numbers have gaps."""
    subject = rng.permutation(np.arange(templates) % subjects)
    rows = [
        (template, f"{who}/img_{first + rng.integers(0, 3) + 10 * who}", rng.integers(0, 3))
        for template, who in enumerate(subject)
        for _ in range(rng.integers(1, 5))
    ]
    names = list(dict.fromkeys(name for _, name, _ in rows))
    face = np.array([names.index(name) for _, name, _ in rows])
    template, media = np.array([row[0] for row in rows]), np.array([row[2] for row in rows])
    files, boxes = tuple(f"img/{name}.jpg" for name in names), np.ones((len(names), 4))
    return TemplateFaces(tuple(names), files, boxes, face, template, media, 3 * np.arange(templates), subject)


def embedded(names, seed=0, noise=0.8):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4000, DIM))
    who = np.array([int(name.split("/")[0]) for name in names])
    mu = centres[who] + noise * rng.normal(size=(len(names), DIM))
    score = rng.uniform(0.5, 1, len(names)).astype(np.float32)
    paths = tuple(f"crops/{name}.jpg" for name in names)
    return Embeddings(mu.astype(np.float32), "m@1", paths=paths, detection_score=score)


def templates_of(faces, embeddings, norm=False, detector=False):
    row = {path[6:-4]: number for number, path in enumerate(embeddings.paths)}
    at = np.array([row[faces.names[face]] for face in faces.face])
    scores = embeddings.detection_score[at] if detector else None
    return longhand.published_templates(embeddings.mu[at], faces.template, faces.media, norm, scores)


@pytest.mark.parametrize("rule", ["exact", "rounded"])
@pytest.mark.parametrize("weights", [False, True])
def test_verify(rule, weights):
    rng = np.random.default_rng(1)
    splits = []
    for number in (1, 2, 3):
        faces = listed(rng, 24, 100 * number)
        left, right = np.triu_indices(24, 1)
        splits.append(VerifySplit(number, faces, left, right))
    embeddings = embedded(verify_names(splits))
    recipe = TemplateRecipe(feature_norm=weights, detector_score=weights)
    result = evaluate_ijba_verify(embeddings, splits, recipe, rule=rule, fars=(0.1, 0.011, 1e-4))
    tars = []
    for split in splits:
        templates = templates_of(split.faces, embeddings, weights, weights)
        scores = (templates[split.left] * templates[split.right]).sum(1)
        genuine, impostor = scores[split.same], scores[~split.same]
        if rule == "exact":
            tars.append([point.tar for point in tar_at_far(genuine, impostor, (0.1, 0.011))])
        else:
            highest = np.sort(impostor)[::-1]
            tars.append([np.mean(genuine >= highest[round(far * len(impostor)) - 1]) for far in (0.1, 0.011)])
    for number, point in enumerate(result.to_dict()["tar"][:2]):
        column = [row[number] for row in tars]
        assert (point["tar"], point["std"]) == pytest.approx((np.mean(column), np.std(column)))
    assert result.to_dict()["tar"][2]["tar"] is None
    assert result.to_dict()["tar"][2]["reason"].endswith("fewer than 1/FAR (in 3 of 3 trials)")
    assert [table["split"] for table in result.to_dict()["splits"]] == [1, 2, 3]


def test_search():
    rng = np.random.default_rng(2)
    splits = [
        SearchSplit(number, listed(rng, 6, 100 * number, subjects=6), listed(rng, 30, 100 * number + 50, subjects=9))
        for number in (1, 2)
    ]
    embeddings = embedded(search_names(splits), noise=0.6)
    result = evaluate_ijba_search(embeddings, splits, fpirs=(0.3, 0.15, 0.01))
    rates, first = [], []
    for split in splits:
        scores = templates_of(split.probes, embeddings) @ templates_of(split.gallery, embeddings).T
        found = longhand.searched(scores, split.gallery.subject, split.probes.subject)
        rates.append([longhand.tpir(found, fpir, 1) for fpir in (0.3, 0.15)])
        first.append(np.mean([rank == 1 for mated, *_, rank in found if mated]))
    for number, point in enumerate(result.to_dict()["tpir"][:2]):
        assert point["tpir"] == pytest.approx(np.mean(rates, 0)[number])
    assert result.to_dict()["tpir"][2]["tpir"] is None
    assert result.to_dict()["cmc"]["1"]["share"] == pytest.approx(np.mean(first))


def test_the_real_split(shared):
    split = read_verify_split(1, shared / "data" / "ijba_split1")
    result = evaluate_ijba_verify(embedded(verify_names([split]), noise=0.2), [split])
    (table,) = result.to_dict()["splits"]
    assert (table["genuine"], table["impostor"]) == (1_803, 9_984)
    assert result.to_dict()["tar"][0]["tar"] > 0.95 and result.to_dict()["tar"][0]["std"] is None


def test_what_is_refused():
    faces = listed(np.random.default_rng(1), 4, 100)
    split = VerifySplit(1, faces, np.array([0]), np.array([1]))
    embeddings = embedded(faces.names)
    with pytest.raises(DatasetError, match=r"not in the embeddings \(1 of"):
        evaluate_ijba_verify(embeddings.take(range(1, len(embeddings))), [split])
    with pytest.raises(DatasetError, match="rule 'nearest' is unknown; choose one of exact, rounded"):
        evaluate_ijba_verify(embeddings, [split], rule="nearest")
    blind = Embeddings(embeddings.mu, "m@1", paths=embeddings.paths)
    with pytest.raises(DatasetError, match="no detector scores"):
        evaluate_ijba_verify(blind, [split], TemplateRecipe())


def test_over_trials():
    point = OperatingPoint(0.1, 0.5, 0.3, 0.4, 0.6, 0.1)
    silent = OperatingPoint(0.1, None, None, None, None, reason="why")
    assert mean_tar([[point], [silent]]) == (MeanTar(0.1, None, None, 2, "why (in 1 of 2 trials)"),)
    assert mean_tar([[point], [point]]) == (MeanTar(0.1, 0.5, 0.0, 2, ""),)
    assert mean_shares([{"1": 0.5}, {"1": 0.7}], ddof=1)["1"].std == pytest.approx(0.02**0.5)
    assert mean_shares([{"1": 0.5}]) == {"1": MeanShare(0.5, None, 1)}
