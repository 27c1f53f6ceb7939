"""Verification on any list: other scores than cosine, what is counted, and honest answers to degenerate data."""

import json
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lfw_longhand import judged_right

from facepipe.datasets.pairs.lfw_pairs import Pairs, assign_folds, make_pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.protocols import ACCURACY_RULES, VerificationResult, evaluate_pairs
from facepipe.protocols.rows import find_rows, without_extension
from facepipe.protocols.verification.outcomes import Outcomes
from facepipe.protocols.verification.tenfold import judge_scores
from facepipe.score.pairs import score_pairs


def listed(count=120, people=8, folds=4, seed=0):
    """Embeddings of people who lie apart, with kappa and sigma2, and pairs among them."""
    rng = np.random.default_rng(seed)
    who = np.arange(40) % people
    mu = rng.normal(size=(people, 6))[who] + 0.7 * rng.normal(size=(40, 6))
    names = tuple(f"p{person}/img_{index:03d}" for index, person in enumerate(who))
    left = rng.integers(0, 40, count)
    right = (left + np.where(rng.random(count) < 0.5, people, rng.integers(1, 39, count))) % 40
    pairs = Pairs(names, left, right, who[left] == who[right], np.arange(count) * folds // count)
    embeddings = Embeddings(
        mu.astype(np.float32),
        "m@1",
        paths=tuple(f"/data/{name}.jpg" for name in names),
        kappa=rng.uniform(50, 400, 40).astype(np.float32),
        sigma2=rng.uniform(0.1, 0.9, (40, 1)).astype(np.float32),
        trained_dim=6,
    )
    return embeddings, pairs


@pytest.mark.parametrize("rule", ["sphereface", "insightface"])
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), kinds=st.integers(2, 9))
def test_thresholds_of_other_scores(rule, seed, kinds):
    """Every cut between neighbouring training scores tried in a loop, from the strictest to the loosest."""
    rng = np.random.default_rng(seed)
    count, folds = 24, 3
    score = rng.integers(-kinds, kinds, count) * 10.0
    pairs = make_pairs(("a", "b", bool(rng.random() < 0.5), number % folds) for number in range(count))
    judged = judge_scores(score, pairs, rule)
    for fold, got in enumerate(judged.folds):
        training = [(s, same) for s, same, f in zip(score, pairs.same, pairs.fold, strict=True) if f != fold]
        values = sorted({s for s, _ in training})
        cuts = [np.nextafter(values[-1], np.inf)]
        cuts += [(a + b) / 2 for a, b in pairwise(values)][::-1]
        cuts += [np.nextafter(values[0], -np.inf)]
        right = [sum(judged_right(s, cut, same) for s, same in training) for cut in cuts]
        best = [cut for cut, count_right in zip(cuts, right, strict=True) if count_right == max(right)]
        expected = best[0] if rule == "insightface" else statistics.fmean(best)
        assert got.threshold == pytest.approx(expected, rel=1e-12)
        here = np.flatnonzero(pairs.fold == fold)
        assert [judged_right(score[i], got.threshold, pairs.same[i]) for i in here] == judged.right[here].tolist()
        assert got.accuracy == judged.right[here].mean() and got.pairs == len(here)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), kinds=st.integers(2, 9))
def test_pfe_thresholds_of_other_scores(seed, kinds):
    """Every genuine training score tried in a loop, repeats included; same at the threshold or above."""
    rng = np.random.default_rng(seed)
    score = rng.integers(-kinds, kinds, 24) * 10.0
    pairs = make_pairs(("a", "b", number in (0, 4) or bool(rng.random() < 0.5), number % 3) for number in range(24))
    judged = judge_scores(score, pairs, "pfe")
    for fold, got in enumerate(judged.folds):
        training = [(s, same) for s, same, f in zip(score, pairs.same, pairs.fold, strict=True) if f != fold]
        cuts = [s for s, same in training if same]
        right = [sum((s >= cut) == same for s, same in training) for cut in cuts]
        best = [cut for cut, count_right in zip(cuts, right, strict=True) if count_right == max(right)]
        assert got.threshold == pytest.approx(statistics.fmean(best), rel=1e-12)
        here = np.flatnonzero(pairs.fold == fold)
        assert [(score[i] >= got.threshold) == pairs.same[i] for i in here] == judged.right[here].tolist()


@pytest.mark.parametrize("rule", list(ACCURACY_RULES))
def test_rules_tell_which_pairs_were_right(rule):
    embeddings, pairs = listed()
    judged = ACCURACY_RULES[rule].judge(embeddings.mu, pairs)
    for fold, got in enumerate(judged.folds):
        assert got.accuracy == judged.right[pairs.fold == fold].mean()


@pytest.mark.parametrize("score", ["cosine", "scf", "mls"])
def test_figures_of_every_score(score):
    embeddings, pairs = listed()
    shuffled = embeddings.take(np.random.default_rng(1).permutation(40))
    result = evaluate_pairs(shuffled, pairs, score=score, fars=[0.1, 1e-4])
    expected = score_pairs(score, embeddings, pairs.left, pairs.right)
    np.testing.assert_allclose(result.outcomes.scores, expected, rtol=1e-6)
    if score != "cosine":
        assert result.folds == judge_scores(expected, pairs, "insightface").folds
    figures = result.to_dict()
    assert 0.5 < figures["accuracy"] <= 1 and 0 <= figures["eer"] < 0.5 < figures["auc"] <= 1
    assert (figures["pairs"], figures["genuine"] + figures["impostor"], figures["images"]) == (120, 120, 40)
    tenth, rare = figures["tar"]
    genuine, impostor = expected[pairs.same], expected[~pairs.same]
    assert (impostor >= tenth["threshold"]).mean() == tenth["reached"] <= 0.1
    assert tenth["tar"] == (genuine >= tenth["threshold"]).mean()
    assert tenth["low"] < tenth["tar"] < tenth["high"]
    assert rare["tar"] is None and "fewer than 1/FAR" in rare["reason"]
    assert result.settings["score"] == score and result.settings["data"] == pairs.digest
    assert set(result.settings["versions"]) == {"facepipe", "torch", "numpy"}


def test_a_score_that_the_embeddings_lack():
    embeddings, pairs = listed()
    plain = Embeddings(embeddings.mu, "m@1", paths=embeddings.paths)
    with pytest.raises(EmbeddingsError, match="kappa"):
        evaluate_pairs(plain, pairs, score="scf")


def test_one_class_has_no_figures():
    embeddings, pairs = listed()
    for same, reason in ((True, "no impostor pairs"), (False, "no genuine pairs")):
        part = pairs.take(pairs.same == same)
        figures = evaluate_pairs(embeddings, part).to_dict()
        assert all(figures[name] is None for name in ("accuracy", "std_error", "eer", "auc"))
        assert figures["folds"] == [] and all(point["tar"] is None for point in figures["tar"])
        assert figures["reasons"] == {"accuracy": reason, "eer": reason, "auc": reason}


def test_constant_scores_have_no_figures():
    embeddings, pairs = listed()
    constant = Embeddings(np.ones((40, 6), np.float32), "m@1", paths=embeddings.paths)
    result = evaluate_pairs(constant, pairs)
    figures = result.to_dict()
    assert result.accuracy is None and result.std_error is None and result.folds == ()
    assert figures["accuracy"] is None and figures["eer"] is None and figures["auc"] is None
    assert {point["reason"] for point in figures["tar"][:1]} == {"all scores are equal"}
    assert set(figures["reasons"].values()) == {"all scores are equal"}


def test_a_single_fold_has_no_accuracy():
    embeddings, pairs = listed(folds=1)
    result = evaluate_pairs(embeddings, pairs)
    assert result.to_dict()["accuracy"] is None and result.to_dict()["reasons"] == {"accuracy": "a single fold"}
    assert result.to_dict()["auc"] > 0.5 and result.outcomes.right is None


def test_json_and_back():
    embeddings, pairs = listed()
    result = evaluate_pairs(embeddings, pairs, "sphereface")
    text = json.dumps(result.to_dict(), allow_nan=False)
    again = VerificationResult.from_dict(json.loads(text), "a.json")
    assert (again.protocol, again.to_dict(), again.settings) == (result.protocol, result.to_dict(), result.settings)
    assert again.folds == result.folds and again.accuracy == result.accuracy
    for name in ("same", "right", "scores"):
        np.testing.assert_array_equal(getattr(again.outcomes, name), getattr(result.outcomes, name))
    assert again.outcomes.scores.dtype == np.float32


@pytest.mark.parametrize(
    "told",
    [
        [],
        {},
        {"protocol": "lfw"},
        {"protocol": 3, "settings": {}},
        {"protocol": "lfw", "settings": {}, "outcomes": {"pairs": 9, "same": "AA=="}},
        {"protocol": "lfw", "settings": {}, "outcomes": {"pairs": 1, "same": "AA==", "scores": "AAAA"}},
        {"protocol": "lfw", "settings": {}, "outcomes": {"pairs": 1, "same": 7}},
    ],
)
def test_what_is_no_result(told):
    with pytest.raises(DatasetError, match=r"^x\.json: not a result of"):
        VerificationResult.from_dict(told, "x.json")


def test_scores_of_long_lists_are_left_out(monkeypatch):
    import facepipe.protocols.verification.outcomes as outcomes

    monkeypatch.setattr(outcomes, "MOST_SCORES", 3)
    long = Outcomes(np.ones(4, bool), np.zeros(4, bool), np.zeros(4, np.float32)).as_json()
    assert set(long) == {"pairs", "same", "right"}
    assert Outcomes.from_json(long).scores is None


def test_names_of_any_depth_are_found():
    paths = ("/x/a.b/c_0001.jpg", "/x/a.b/c_0002.JPG", "D:\\x\\d\\e.v2.png", "/x/a.b/c_0001.jpg#1", "f")
    embeddings = Embeddings(np.zeros((5, 2), np.float32), "m@1", paths=paths, failed=(("/x/q/r.jpg", "damaged"),))
    assert find_rows(embeddings, ["c_0002", "a.b/c_0001", "d/e.v2", "f"]).tolist() == [1, 0, 2, 4]
    assert without_extension("a/b.c") == "a/b.c"
    with pytest.raises(DatasetError, match=r"^q/r: damaged \(1 of 2 images"):
        find_rows(embeddings, ["f", "q/r"])


def test_a_name_that_fits_two_images():
    embeddings = Embeddings(np.zeros((3, 2), np.float32), "m@1", paths=("/x/a/1.jpg", "/y/a/1.jpg", "/y/a/2.jpg"))
    assert find_rows(embeddings, ["a/2", "y/a/1"]).tolist() == [2, 1]
    with pytest.raises(DatasetError, match="a/1: two of the embedded images"):
        find_rows(embeddings, ["a/1"])


def test_dealt_folds_are_equal_and_hold_both_classes():
    same = np.array([True] * 25 + [False] * 47)
    fold = assign_folds(same)
    assert fold.max() == 9
    for kind in (same, ~same):
        counts = np.bincount(fold[kind])
        assert len(counts) == 10 and counts.max() - counts.min() <= 1 and (np.diff(fold[kind]) >= 0).all()
    assert assign_folds(np.array([True] * 3 + [False] * 50)).max() == 2
    assert assign_folds(np.ones(5, bool)).max() == 0


@pytest.mark.parametrize("count", range(2, 9))
def test_pfe_takes_a_threshold_of_equal_scores_as_it_is(count):
    """The mean of six times 0.1 is more than 0.1, and would judge the seventh such pair wrongly."""
    score = np.array([0.1] * (count + 1) + [-1.0, -1.0])
    same, fold = score > 0, np.array([0] * count + [1, 0, 1])
    rows = np.arange(len(score))
    pairs = Pairs(tuple(f"p{row}" for row in range(2 * len(score))), 2 * rows, 2 * rows + 1, same, fold)
    assert judge_scores(score, pairs, "pfe").right.all()
