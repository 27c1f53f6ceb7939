"""LFW view 2: the rules against slow longhand, and images without a face."""

import statistics

import lfw_longhand as longhand
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facepipe.datasets.pairs.lfw_pairs import Pairs, make_pairs, read_lfw_pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols import ACCURACY_RULES, FoldResult, evaluate_lfw
from facepipe.protocols.verification.accuracy_rules import AccuracyRule
from facepipe.protocols.verification.tenfold import deviation, fold_by_fold, mean_and_error, squared_distances
from facepipe.protocols.verification.validation_rate import _threshold, validation_rate
from facepipe.score import score_pairs

LONGHAND = {"sphereface": longhand.sphereface, "insightface": longhand.insightface, "pfe": longhand.pfe}


def judged(rule, mu, pairs):
    return ACCURACY_RULES[rule].judge(mu, pairs)


def pairs_of(left, right, same, fold):
    names = tuple(f"P/P_{number:04d}" for number in range(1 + max(*left, *right)))
    return Pairs(names, np.array(left), np.array(right), np.array(same, bool), np.array(fold))


@st.composite
def cases(draw):
    """A seed, and pairs among six rows, so that scores repeat; left and right sides share no row."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    folds, count = draw(st.integers(2, 4)), draw(st.integers(8, 16))
    fold = np.sort(np.concatenate([np.arange(folds), rng.integers(0, folds, count - folds)]))
    left, right = [0, *rng.integers(0, 3, count - 1)], [5, *rng.integers(3, 6, count - 1)]
    return rng, pairs_of(left, right, rng.random(count) < 0.5, fold)


def check(rule, mu, pairs, expected):
    got = judged(rule, mu, pairs).folds
    assert [fold.pairs for fold in got] == [int((pairs.fold == k).sum()) for k in range(len(got))]
    np.testing.assert_allclose([fold.accuracy for fold in got], [accuracy for accuracy, _ in expected], atol=1e-12)
    np.testing.assert_allclose([fold.threshold for fold in got], [threshold for _, threshold in expected], atol=1e-9)


@pytest.mark.parametrize("rule", list(LONGHAND))
@settings(deadline=None, max_examples=15)
@given(cases())
def test_rules_with_scores_on_the_thresholds(rule, case):
    """One-dimensional features: every score is −1, 0 or 1, every squared distance 0, 1 or 4, all exact."""
    rng, pairs = case
    mu = rng.integers(-2, 3, (6, 1)).astype(float)
    expected, _ = LONGHAND[rule](mu, pairs)
    check(rule, mu, pairs, expected)


@pytest.mark.parametrize("rule", list(LONGHAND))
@settings(deadline=None, max_examples=12)
@given(case=cases(), dim=st.integers(2, 5))
def test_rules_with_repeated_scores(rule, case, dim):
    rng, pairs = case
    mu = rng.normal(size=(6, dim)) + 0.3
    expected, scores = LONGHAND[rule](mu, pairs)
    steps = np.array(scores) * (10_000 if rule == "sphereface" else 100)
    # A score on a threshold to the last bit may fall on either side; the test above has those.
    assume((np.abs(steps - np.rint(steps)) > 1e-6).all())
    check(rule, mu, pairs, expected)


def test_scores_on_the_threshold():
    """The tie that a fold of its own has: fold 2 chooses the threshold which both pairs of fold 1 hit."""
    # SphereFace: the mean of fold 2 is 0, its scores are 1 and −1, so the best thresholds lie around 0.
    mu = np.array([[0.0], [5], [1], [-3]])
    pairs = pairs_of([0, 0, 2, 2], [1, 1, 2, 3], [True, False, True, False], [0, 0, 1, 1])
    assert judged("sphereface", mu, pairs).folds[0] == FoldResult(0.0, 0.0, 2)
    # insightface: without genuine pairs, 0 is the first of the best thresholds.
    pairs = pairs_of([0, 0, 1], [0, 0, 3], [True, False, False], [0, 0, 1])
    assert judged("insightface", mu, pairs).folds[0] == FoldResult(0.5, 0.0, 2)


def test_mean_is_of_both_sides_of_the_other_folds_with_repeats():
    """Adding one vector to all features changes nothing for SphereFace's rule, and all for insightface's."""
    rng = np.random.default_rng(3)
    mu = rng.normal(size=(40, 4))
    pairs = pairs_of(rng.integers(0, 40, 60), rng.integers(0, 40, 60), rng.random(60) < 0.5, np.arange(60) // 6)
    shifted = mu + np.array([5, -3, 2, 9])
    for a, b in zip(judged("sphereface", mu, pairs).folds, judged("sphereface", shifted, pairs).folds, strict=True):
        assert (a.accuracy, a.threshold) == pytest.approx((b.accuracy, b.threshold), abs=1e-9)
    assert judged("insightface", mu, pairs).folds != judged("insightface", shifted, pairs).folds


def test_scale_of_features_does_not_matter_to_insightface():
    rng = np.random.default_rng(3)
    mu = rng.normal(size=(40, 4))
    pairs = pairs_of(rng.integers(0, 40, 60), rng.integers(0, 40, 60), rng.random(60) < 0.5, np.arange(60) // 6)
    scaled = mu * rng.uniform(1, 2, (40, 1))
    assert judged("insightface", mu, pairs).folds == judged("insightface", scaled, pairs).folds


@pytest.mark.parametrize("rule", list(ACCURACY_RULES))
def test_long_lists_are_scored_in_blocks(rule, monkeypatch):
    rng = np.random.default_rng(5)
    mu = rng.normal(size=(40, 4))
    pairs = pairs_of(rng.integers(0, 40, 60), rng.integers(0, 40, 60), rng.random(60) < 0.5, np.arange(60) // 6)
    whole = judged(rule, mu, pairs)
    monkeypatch.setattr("facepipe.protocols.verification.tenfold._BLOCK", 7)
    parts = judged(rule, mu, pairs)
    assert parts.folds == whole.folds and (parts.right == whole.right).all()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99), st.sampled_from([0.01, 1 / 18, 0.25, 1.0]))
def test_validation_rate(seed, far):
    """Against insightface's script longhand; rates that its grid hits exactly, passes over, and never reaches."""
    rng = np.random.default_rng(seed)
    mu = rng.normal(size=(24, 3)) + 0.8
    fold = np.repeat([0, 1, 2], 12)
    same = np.tile([True, True, False], 12)[:36]
    pairs = pairs_of(rng.integers(0, 12, 36), rng.integers(12, 24, 36), same, fold)
    expected = longhand.validation_rates(mu, pairs, far)
    got = validation_rate(squared_distances(mu, pairs), pairs, far)
    assert got.val == pytest.approx(statistics.fmean(val for val, _ in expected))
    assert got.std_dev == pytest.approx(statistics.pstdev(val for val, _ in expected))
    assert got.reached == pytest.approx(statistics.fmean(reached for _, reached in expected))


def test_validation_rate_reads_lines_as_scipy_does():
    """A line through points of which many have one FAR: the spline of degree 1 that interp1d's slinear stands for."""
    from scipy.interpolate import BSpline

    impostor = np.sort(np.random.default_rng(0).uniform(0.5, 4, 500))
    grid = np.arange(0, 4, 0.001)
    rate = (impostor[None] < grid[:, None]).mean(1)
    line = BSpline(np.concatenate([rate[:1], rate, rate[-1:]]), grid, 1)
    for far in (1e-3, 0.0123, 0.1, 0.5):
        assert _threshold(impostor, far) == pytest.approx(float(line(far)), abs=1e-12)


def test_a_distance_on_the_grid_is_not_below_it():
    """Of ten impostors one lies near, nine at 3.0 sharp: up to there FAR is a tenth."""
    same = np.tile([True] + [False] * 10, 2)
    distance = np.tile([2.9995, 1.0] + [3.0] * 9, 2)
    rows = np.arange(22)
    got = validation_rate(distance, Pairs(("x",), 0 * rows, 0 * rows, same, rows // 11), far=0.1)
    assert (got.val, got.reached) == (1.0, 0.1)


def test_no_validation_rate_without_pairs_of_a_kind():
    pairs = pairs_of([0, 1, 2, 3], [4, 5, 6, 7], [True, False, False, False], [0, 0, 1, 1])
    got = validation_rate(np.ones(4), pairs)
    assert got.val is None and "fold 2" in got.reason


def test_mean_and_standard_error():
    accuracies = [0.99, 0.985, 0.9916, 1.0]
    mean, error = mean_and_error([FoldResult(accuracy, 0.1, 600) for accuracy in accuracies])
    assert mean == pytest.approx(statistics.fmean(accuracies))
    assert error == pytest.approx(statistics.stdev(accuracies) / 2)
    assert deviation([FoldResult(accuracy, 0.1, 600) for accuracy in accuracies]) == pytest.approx(
        statistics.pstdev(accuracies)
    )


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(longhand.PAIRS_FILE)
    return read_lfw_pairs(path)


def embeddings_of(pairs, undetected=(), **changes):
    """In another order than the pairs, below another folder, with any extension."""
    names = list(reversed(pairs.names))
    fields = {
        "mu": np.random.default_rng(4).normal(size=(len(names), 6)).astype(np.float32),
        "model": "m@1",
        "flip": "concat",
        "paths": tuple(f"/data/lfw/{name}.{'jpg' if i % 2 else 'PNG'}" for i, name in enumerate(names)),
        "detected": np.array([name not in undetected for name in names]),
    }
    return Embeddings(**{**fields, **changes})


@pytest.mark.parametrize("rule", list(ACCURACY_RULES))
def test_evaluate(pairs, rule):
    embeddings = embeddings_of(pairs)
    result = evaluate_lfw(embeddings, pairs, rule)
    expected, _ = LONGHAND[rule](embeddings.mu[::-1].astype(float), pairs)
    assert [fold.accuracy for fold in result.folds] == pytest.approx([accuracy for accuracy, _ in expected])
    assert result.accuracy == pytest.approx(statistics.fmean(accuracy for accuracy, _ in expected))
    assert result.std_error == pytest.approx(statistics.stdev(accuracy for accuracy, _ in expected) / 2**0.5)
    assert result.std_dev == pytest.approx(statistics.pstdev(accuracy for accuracy, _ in expected))
    assert ("val" in result.to_dict()) == (rule == "insightface")
    told = result.to_dict()
    assert {key: told[key] for key in ("protocol", "images", "pairs", "undetected")} == {
        "protocol": "lfw",
        "images": len(pairs.names),
        "pairs": 8,
        "undetected": 0,
    }
    assert {key: told["settings"][key] for key in ("model", "flip", "rule", "score", "on_miss", "data")} == {
        "model": "m@1",
        "flip": "concat",
        "rule": rule,
        "score": "cosine",
        "on_miss": "centre",
        "data": pairs.digest,
    }
    assert [fold["pairs"] for fold in told["folds"]] == [4, 4]


def test_missed_faces(pairs):
    missed = ("Bo/Bo_0003", "Ann/Ann_0004")  # pairs 1 and 7
    embeddings = embeddings_of(pairs, undetected=missed)
    centre = evaluate_lfw(embeddings, pairs)
    assert centre.to_dict()["undetected"] == 2 and centre.settings["on_miss"] == "centre"
    assert centre.folds == evaluate_lfw(embeddings_of(pairs), pairs).folds

    skipped = evaluate_lfw(embeddings, pairs, on_miss="skip")
    assert skipped.to_dict()["pairs"] == 6 and [fold.pairs for fold in skipped.folds] == [3, 3]
    kept = pairs.take(np.array([True, False, True, True, True, True, True, False]))
    expected, _ = longhand.sphereface(embeddings.mu[::-1].astype(float), kept)
    assert [fold.accuracy for fold in skipped.folds] == pytest.approx([accuracy for accuracy, _ in expected])

    with pytest.raises(DatasetError, match=r"Bo/Bo_0003: no face found, nor in 1 more images; use on_miss='centre'"):
        evaluate_lfw(embeddings, pairs, on_miss="fail")
    assert evaluate_lfw(embeddings_of(pairs), pairs, on_miss="fail").to_dict()["undetected"] == 0


@pytest.mark.parametrize("lost", [0, 1])
def test_skipping_a_whole_fold_is_an_error(pairs, lost):
    gone = [pairs.names[i] for i in np.concatenate([pairs.left, pairs.right])[np.tile(pairs.fold == lost, 2)]]
    with pytest.raises(DatasetError, match=r"fold \d has no pairs left"):
        evaluate_lfw(embeddings_of(pairs, undetected=gone), pairs, on_miss="skip")


def test_skipping_everything_is_an_error(pairs):
    with pytest.raises(DatasetError, match="fold 1 has no pairs left"):
        evaluate_lfw(embeddings_of(pairs, undetected=pairs.names), pairs, on_miss="skip")


def test_missing_images(pairs):
    everything = embeddings_of(pairs)
    without = Embeddings(everything.mu[2:], "m@1", paths=everything.paths[2:])
    gone = pairs.names[-2]
    with pytest.raises(DatasetError, match=rf"^{gone}: not in the embeddings \(2 of {len(pairs.names)} images"):
        evaluate_lfw(without, pairs)
    failed = ((f"/data/lfw/{gone}.jpg", "damaged or truncated"),)
    with pytest.raises(DatasetError, match=rf"^{gone}: damaged or truncated \(2 of"):
        evaluate_lfw(Embeddings(without.mu, "m@1", paths=without.paths, failed=failed), pairs)


def test_windows_paths(pairs):
    embeddings = embeddings_of(pairs)
    windows = embeddings.with_paths([path.replace("/", "\\") for path in embeddings.paths])
    assert evaluate_lfw(windows, pairs).folds == evaluate_lfw(embeddings, pairs).folds


def test_unknown_rule_and_embeddings_that_are_no_numbers(pairs):
    with pytest.raises(DatasetError, match=r"unknown rule 'best'; choose one of .*pfe"):
        evaluate_lfw(embeddings_of(pairs), pairs, "best")
    with pytest.raises(DatasetError, match="on_miss 'drop' is unknown; choose one of centre, skip, fail"):
        evaluate_lfw(embeddings_of(pairs), pairs, on_miss="drop")
    mu = embeddings_of(pairs).mu.copy()
    mu[-2, 3] = np.nan
    with pytest.raises(DatasetError, match=rf"^{pairs.names[1]}: its embedding is not finite"):
        evaluate_lfw(embeddings_of(pairs, mu=mu), pairs)


@pytest.fixture
def half():
    """A rule that another module adds, as a new file in the folder would."""

    def judge(score, pairs):
        return fold_by_fold(pairs, lambda fold: score, lambda *_: 0.5, tie="same")

    def by_cosine(mu, pairs):
        return judge(score_pairs("cosine", Embeddings(mu, "m@1"), pairs.left, pairs.right), pairs)

    ACCURACY_RULES.add("half", AccuracyRule("the same from 0.5 on", by_cosine, judge))
    yield "half"
    ACCURACY_RULES.remove("half")


def test_a_new_rule_is_everywhere(half):
    """In the table, the options with their help and the protocols: nothing else is to be told of it."""
    from cli_run import run

    angles = np.radians([0, 59, 0, 61, 0, 10, 0, 90])
    mu = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    truth = enumerate([True, True, False, False])
    pairs = make_pairs([(f"a_{2 * n}", f"a_{2 * n + 1}", same, n // 2) for n, same in truth])
    embeddings = Embeddings(mu, "m@1", paths=tuple(f"{name}.jpg" for name in pairs.names))
    result = evaluate_lfw(embeddings, pairs, rule=half)
    assert [fold.accuracy for fold in result.folds] == [0.5, 0.5] and result.val is None
    assert result.outcomes.right.tolist() == [True, False, False, True]
    for command in ("lfw", "ytf", "bin"):
        assert "half: the same from 0.5 on" in " ".join(run("eval", command, "--help").out.split())
