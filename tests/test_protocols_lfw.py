"""LFW view 2: the pairs file, both rules against slow longhand, and images without a face."""

import statistics

import lfw_longhand as longhand
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facepipe.datasets.pairs import Pairs, read_lfw_pairs
from facepipe.embed import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols import RULES, FoldResult, evaluate_lfw
from facepipe.protocols.tenfold import mean_and_error

LONGHAND = {"sphereface": longhand.sphereface, "insightface": longhand.insightface}


def pairs_of(left, right, same, fold):
    names = tuple(f"P/P_{number:04d}" for number in range(1 + max(*left, *right)))
    return Pairs(names, np.array(left), np.array(right), np.array(same, bool), np.array(fold))


@st.composite
def cases(draw, rows):
    """Pairs among a few rows, so that scores repeat, in 2 to 4 folds of unequal size."""
    folds = draw(st.integers(2, 4))
    count = draw(st.integers(folds, 16))
    fold = [*range(folds), *draw(st.lists(st.integers(0, folds - 1), min_size=count - folds, max_size=count - folds))]
    index = st.integers(0, len(rows) - 1)
    sides = st.lists(index, min_size=count, max_size=count)
    same = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return rows, pairs_of(draw(sides), draw(sides), same, sorted(fold))


def check(rule, mu, pairs, expected):
    got = RULES[rule](mu, pairs)
    assert [fold.pairs for fold in got] == [int((pairs.fold == k).sum()) for k in range(len(got))]
    np.testing.assert_allclose([fold.accuracy for fold in got], [accuracy for accuracy, _ in expected], atol=1e-12)
    np.testing.assert_allclose([fold.threshold for fold in got], [threshold for _, threshold in expected], atol=1e-9)


@pytest.mark.parametrize("rule", list(RULES))
@settings(deadline=None, max_examples=12)
@given(
    data=st.data(),
    numbers=st.lists(st.integers(-3, 3), min_size=2, max_size=6),
)
def test_rules_with_scores_on_the_thresholds(rule, data, numbers):
    """One-dimensional features: every score is −1, 0 or 1, every squared distance 0, 1 or 4, all exact."""
    mu, pairs = data.draw(cases([[float(number)] for number in numbers]))
    mu = np.array(mu)[: len(pairs.names)]
    expected, _ = LONGHAND[rule](mu, pairs)
    check(rule, mu, pairs, expected)


@pytest.mark.parametrize("rule", list(RULES))
@settings(deadline=None, max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), dim=st.integers(2, 5))
def test_rules_with_repeated_scores(rule, data, seed, dim):
    rows = np.random.default_rng(seed).normal(size=(5, dim)) + 0.3
    mu, pairs = data.draw(cases(rows.tolist()))
    mu = np.array(mu)[: len(pairs.names)]
    expected, scores = LONGHAND[rule](mu, pairs)
    step = 1e-4 if rule == "sphereface" else 1e-2
    # A score on a threshold to the last bit may fall on either side; the test above has those.
    on_grid = np.abs(np.array(scores) / step - np.rint(np.array(scores) / step)) < 1e-6
    assume(not on_grid.any())
    check(rule, mu, pairs, expected)


def test_a_tie_is_wrong_for_both_in_sphereface_and_different_in_insightface():
    """Fold 2 consists of scores that equal the threshold which fold 1 chooses."""
    # cos = 0 or squared distance 2 − 0 = 2.00: both on the grids.
    mu = np.array([[1.0, 0], [0, 1.0], [-1, 0], [0, -1]])
    below, above = np.array([1.0, -0.0201]), np.array([1.0, -0.0199])
    mu = np.vstack([mu, below, above])
    pairs = pairs_of([0, 0], [1, 1], [True, False], [0, 1])
    scores = np.array([0.0, 0.0])
    from facepipe.protocols.tenfold import _right_at

    assert _right_at(scores, pairs.same, np.array([0.0]), ties_right=False).tolist() == [0]
    assert _right_at(scores, pairs.same, np.array([0.0]), ties_right=True).tolist() == [1]


def test_mean_is_of_both_sides_of_the_other_folds_with_repeats():
    """Adding one vector to all features changes nothing for SphereFace's rule, and all for insightface's."""
    rng = np.random.default_rng(3)
    mu = rng.normal(size=(40, 4))
    pairs = pairs_of(rng.integers(0, 40, 60), rng.integers(0, 40, 60), rng.random(60) < 0.5, np.arange(60) // 6)
    shifted = mu + (5, -3, 2, 9)
    for a, b in zip(RULES["sphereface"](mu, pairs), RULES["sphereface"](shifted, pairs), strict=True):
        assert (a.accuracy, a.threshold) == pytest.approx((b.accuracy, b.threshold), abs=1e-9)
    assert RULES["insightface"](mu, pairs) != RULES["insightface"](shifted, pairs)


def test_scale_of_features_does_not_matter_to_insightface():
    rng = np.random.default_rng(3)
    mu = rng.normal(size=(40, 4))
    pairs = pairs_of(rng.integers(0, 40, 60), rng.integers(0, 40, 60), rng.random(60) < 0.5, np.arange(60) // 6)
    assert RULES["insightface"](mu, pairs) == RULES["insightface"](mu * rng.uniform(1, 2, (40, 1)), pairs)


def test_mean_and_standard_error():
    accuracies = [0.99, 0.985, 0.9916, 1.0]
    mean, error = mean_and_error([FoldResult(accuracy, 0.1, 600) for accuracy in accuracies])
    assert mean == pytest.approx(statistics.fmean(accuracies))
    assert error == pytest.approx(statistics.stdev(accuracies) / 2)


# The pairs file.

LINES = ["2\t2", "Ann\t1\t2", "Bo\t3\t10", "Ann\t1\tBo\t2", "Bo\t1\tCy_D\t1", "Ann\t2\t3", "Cy_D\t1\t2", "Ann\t1\tBo\t1", "Bo\t2\tAnn\t4"]  # noqa: E501


def written(tmp_path, lines):
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_pairs_file(tmp_path):
    pairs = read_lfw_pairs(written(tmp_path, LINES))
    listed = [(pairs.names[a], pairs.names[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    assert listed[:3] == [
        ("Ann/Ann_0001", "Ann/Ann_0002"),
        ("Bo/Bo_0003", "Bo/Bo_0010"),
        ("Ann/Ann_0001", "Bo/Bo_0002"),
    ]
    assert listed[3] == ("Bo/Bo_0001", "Cy_D/Cy_D_0001")
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert len(pairs.names) == len(set(pairs.names))
    assert len(pairs) == 8 and pairs.folds == 2


def test_lfw_pairs(shared):
    pairs = read_lfw_pairs(shared / "data" / "lfw_pairs.txt")
    assert (len(pairs), pairs.folds, len(pairs.names)) == (6000, 10, 7701)
    assert np.bincount(pairs.fold).tolist() == [600] * 10
    assert (np.arange(6000) // 600 == pairs.fold).all()
    assert pairs.same.reshape(10, 2, 300)[:, 0].all() and not pairs.same.reshape(10, 2, 300)[:, 1].any()
    people = [name.split("/")[0] for name in pairs.names]
    assert all((people[a] == people[b]) == same for a, b, same in zip(pairs.left, pairs.right, pairs.same, strict=True))
    assert all((shared / "data" / "lfw" / f"{name}.jpg").is_file() for name in pairs.names[::50])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda lines: [], "line 1: must hold the number of folds"),
        (lambda lines: ["ten 300", *lines[1:]], "line 1: must hold the number of folds"),
        (lambda lines: ["2", *lines[1:]], "line 1: must hold"),
        (lambda lines: ["1 4", *lines[1:]], "line 1: needs at least two folds"),
        (lambda lines: ["2 0", *lines[1:]], "line 1: needs at least two folds and one pair"),
        (lambda lines: lines[:-1], "ends at line 8, but its header promises 8 pairs"),
        (lambda lines: ["10 300", *lines[1:]], "header promises 6000 pairs"),
        (lambda lines: [*lines, "Ann 1 2"], "line 10: more pairs than the header promises"),
        (lambda lines: ["2 1", *lines[1:]], "line 6: more pairs|line 3: genuine and impostor"),
        (lambda lines: [*lines[:4], "Bo one Cy_D 1", *lines[5:]], "line 5: 'one' or '1' is no image number"),
        (lambda lines: [*lines[:4], "Bo 1 Cy_D -1", *lines[5:]], "line 5: '1' or '-1' is no image number"),
        (lambda lines: [*lines[:2], "Bo 0 1", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], "Bo x 1", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], "Bo 1", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], "", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], "Bo 1 2 3 4", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "line 3: genuine and impostor pairs are out of"),
    ],
)
def test_malformed_pairs_file(tmp_path, change, match):
    path = written(tmp_path, change(LINES))
    with pytest.raises(DatasetError, match=match) as caught:
        read_lfw_pairs(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_pairs_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.txt: no such pairs file"):
        read_lfw_pairs(tmp_path / "gone.txt")
    with pytest.raises(DatasetError, match="not a readable text file"):
        read_lfw_pairs(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    with pytest.raises(DatasetError, match=r"photo\.jpg: not a readable text file"):
        read_lfw_pairs(tmp_path / "photo.jpg")


# The protocol.


@pytest.fixture
def pairs(tmp_path):
    return read_lfw_pairs(written(tmp_path, LINES))


def embeddings_of(pairs, undetected=(), **changes):
    """In another order than the pairs, below another folder, with any extension."""
    names = list(reversed(pairs.names))
    fields = {
        "mu": np.random.default_rng(4).normal(size=(len(names), 6)).astype(np.float32),
        "model": "m@1",
        "flip": "concat",
        "paths": tuple(f"/data/lfw/{name}.{'jpg' if i % 2 else 'jpeg.png'}" for i, name in enumerate(names)),
        "detected": np.array([name not in undetected for name in names]),
    }
    fields["paths"] = tuple(path.replace(".jpeg.png", ".PNG") for path in fields["paths"])
    return Embeddings(**{**fields, **changes})


@pytest.mark.parametrize("rule", list(RULES))
def test_evaluate(pairs, rule):
    embeddings = embeddings_of(pairs)
    result = evaluate_lfw(embeddings, pairs, rule)
    expected, _ = LONGHAND[rule](embeddings.mu[::-1].astype(float), pairs)
    assert [fold.accuracy for fold in result.folds] == pytest.approx([accuracy for accuracy, _ in expected])
    assert result.accuracy == pytest.approx(statistics.fmean(accuracy for accuracy, _ in expected))
    assert result.std_error == pytest.approx(statistics.stdev(accuracy for accuracy, _ in expected) / 2**0.5)
    told = result.as_json()
    assert {key: told[key] for key in ("protocol", "model", "flip", "rule", "images", "pairs", "undetected")} == {
        "protocol": "lfw",
        "model": "m@1",
        "flip": "concat",
        "rule": rule,
        "images": len(pairs.names),
        "pairs": 8,
        "undetected": 0,
    }
    assert [fold["pairs"] for fold in told["folds"]] == [4, 4]


def test_missed_faces(pairs):
    missed = ("Bo/Bo_0003", "Ann/Ann_0004")  # pairs 1 and 7
    embeddings = embeddings_of(pairs, undetected=missed)
    centre = evaluate_lfw(embeddings, pairs)
    assert centre.settings["undetected"] == 2 and centre.settings["on_miss"] == "centre"
    assert centre.folds == evaluate_lfw(embeddings_of(pairs), pairs).folds

    skipped = evaluate_lfw(embeddings, pairs, on_miss="skip")
    assert skipped.settings["pairs"] == 6 and [fold.pairs for fold in skipped.folds] == [3, 3]
    kept = pairs.take(np.array([True, False, True, True, True, True, True, False]))
    expected, _ = longhand.sphereface(embeddings.mu[::-1].astype(float), kept)
    assert [fold.accuracy for fold in skipped.folds] == pytest.approx([accuracy for accuracy, _ in expected])

    with pytest.raises(DatasetError, match=r"Bo/Bo_0003: no face found, nor in 1 more; use --on-miss centre or skip"):
        evaluate_lfw(embeddings, pairs, on_miss="fail")
    assert evaluate_lfw(embeddings_of(pairs), pairs, on_miss="fail").settings["undetected"] == 0


@pytest.mark.parametrize("lost", [0, 1])
def test_skipping_a_whole_fold_is_an_error(pairs, lost):
    gone = [pairs.names[i] for i in np.concatenate([pairs.left, pairs.right])[np.tile(pairs.fold == lost, 2)]]
    with pytest.raises(DatasetError, match="fold 1 has no pairs left" if lost == 0 else "fold . has no pairs left"):
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
    with pytest.raises(DatasetError, match="rule 'best' is unknown; choose one of sphereface, insightface"):
        evaluate_lfw(embeddings_of(pairs), pairs, "best")
    mu = embeddings_of(pairs).mu.copy()
    mu[-2, 3] = np.nan
    with pytest.raises(DatasetError, match=rf"^{pairs.names[1]}: its embedding is not finite"):
        evaluate_lfw(embeddings_of(pairs, mu=mu), pairs)
