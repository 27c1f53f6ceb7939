"""Thresholds of two populations, counted longhand; which faces count, and what a card gets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.calibration import (
    ScoredSet,
    alike_pairs,
    alike_thresholds,
    calibrate_faces,
    calibrate_pairs,
    calibrated_card,
    group_of,
    known_faces,
    random_thresholds,
)
from facepipe.calibration.faces import genuine_pairs, random_pairs
from facepipe.datasets.pairs.lfw_pairs import make_pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.zoo import Card


def card(**more):
    fields = {
        "name": "net",
        "title": "",
        "backbone": "sphereface4",
        "input": {"size": (112, 96), "template": "112x96", "channels": "rgb", "mean": 0.0, "scale": 1.0},
        "embedding": {"dim": 8, "flip": "none"},
        "weights": {"file": "a", "format": "torch", "sha256": "0" * 64},
    }
    return Card.of(fields | more)


def clustered(people, images, seed=0, kappa=False, spread=0.6):
    """Faces of people, each around a direction of its own, and their names."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, 16))
    mu = np.repeat(centres, images, 0) + spread * random.normal(size=(people * images, 16))
    more = {"kappa": random.uniform(50, 400, len(mu)).astype(np.float32), "trained_dim": 16} if kappa else {}
    return Embeddings(mu.astype(np.float32), "net@000000000000", **more), [
        f"p{person:03d}" for person in range(people) for _ in range(images)
    ]


@pytest.mark.parametrize(
    ("about", "group"),
    [
        ({"age": 30, "sex": "f", "origin": "indian", "source": "utk"}, "indian women (utk)"),
        ({"age": 20, "sex": "M", "source": "aaf"}, "men (aaf)"),
        ({"age": 60, "sex": "male"}, "men"),
        ({"age": 19, "sex": "m"}, ""),
        ({"age": 61, "sex": "m"}, ""),
        ({"sex": "m"}, ""),
        ({"age": 30}, ""),
        ({"age": "30", "sex": "f"}, ""),
        ({"age": True, "sex": "f"}, ""),
        ({}, ""),
    ],
)
def test_groups(about, group):
    assert group_of(about) == group


def test_alike_pairs_are_all_pairs_of_two_people_in_a_group():
    group = np.array(["a", "", "a", "b", "a", "b"], dtype=object)
    person = np.array([0, 1, 2, 3, 0, 4])
    found = alike_pairs(group, person)
    pairs = {name: set(zip(left.tolist(), right.tolist(), strict=True)) for name, (left, right) in found.items()}
    assert pairs == {"a": {(0, 2), (2, 4)}, "b": {(3, 5)}}


def test_genuine_pairs_are_those_of_people_with_a_name():
    faces = known_faces(clustered(3, 2)[0], ["x", "y", "x", None, "y", None])
    pairs = set(zip(*(side.tolist() for side in genuine_pairs(faces)), strict=True))
    assert pairs == {(0, 2), (1, 4)}
    assert len(set(faces.person)) == 4 and faces.named.tolist() == [True, True, True, False, True, False]


def test_pairs_at_random_are_of_two_adults_of_one_set():
    embeddings, names = clustered(30, 2)
    names = [name if name < "p010" else None for name in names]
    about = [{"age": 10 if k % 4 == 0 else 40, "source": "ab"[k > 49]} for k in range(60)]
    faces = known_faces(embeddings, names, about)
    found = random_pairs(faces)
    assert set(found) == {"people", "strangers (a)", "strangers (b)"}
    for name, pairs in found.items():
        both = np.concatenate([pairs.left, pairs.right])
        assert not faces.child[both].any() and (faces.person[pairs.left] != faces.person[pairs.right]).all()
        assert set(faces.named[both]) == {name == "people"}
        assert name == "people" or set(faces.source[both]) == {name[-2]}
    assert found["people"].people == 10
    assert len(found["people"].left) == 15 * 14 // 2 - 5, "of 20 faces of ten people five are children's"
    assert len(found["strangers (b)"].left) == 8 * 7 // 2 and found["strangers (b)"].people == 8


def test_thresholds_let_through_what_they_say():
    random = np.random.default_rng(1)
    genuine, impostor = random.normal(0.6, 0.1, 500), random.normal(0, 0.1, 20_000)
    thresholds, notes = random_thresholds(genuine, {"x": ScoredSet(impostor, 20_000)}, [1e-2, 1e-3, 1e-5], "these")
    assert [one.far for one in thresholds] == [1e-2, 1e-3]
    assert notes == ["no cosine threshold among people at random at FAR 1e-05: too few pairs of people"]
    for one in thresholds:
        assert (impostor >= one.value).sum() == round(one.far * 20_000)
        assert one.tar == pytest.approx((genuine >= one.value).mean())
        assert (one.population, one.calibrated_on) == ("random", "x, 20,000 pairs; these")


def test_the_strictest_set_that_has_people_enough_decides():
    """Set b asks for more, but its 100,000 pairs are of 1,000 pairs of people: it counts at 1 in 100 only."""
    random = np.random.default_rng(4)
    a, b = random.normal(0, 0.1, 100_000), random.normal(0.05, 0.1, 100_000)
    sets = {"a": ScoredSet(a, 100_000), "b": ScoredSet(b, 1000)}
    thresholds, notes = random_thresholds(np.zeros(0), sets, [1e-2, 1e-3], "these")
    assert [(b >= thresholds[0].value).mean(), (a >= thresholds[1].value).mean()] == pytest.approx([1e-2, 1e-3])
    assert thresholds[0].calibrated_on == "b, 100,000 pairs, the strictest of 2 sets; these"
    assert thresholds[1].calibrated_on == "a, 100,000 pairs; these" and not notes
    sets["b"] = ScoredSet(b + 0.5, 1000)
    thresholds, notes = random_thresholds(np.zeros(0), sets, [1e-2, 1e-3], "these")
    assert [one.far for one in thresholds] == [1e-2] and "FAR 0.001" in notes[0]


def test_the_worst_group_decides():
    random = np.random.default_rng(2)
    groups = {name: random.normal(mean, 0.1, 10_000) for name, mean in (("a", 0.0), ("b", 0.1), ("c", 0.05))}
    thresholds, notes = alike_thresholds(np.array([0.5, 0.2]), groups, [1e-3, 1e-2], "these")
    assert [one.far for one in thresholds] == [1e-2, 1e-3] and not notes
    for one in thresholds:
        passed = {name: float((scores >= one.value).mean()) for name, scores in groups.items()}
        assert max(passed, key=passed.get) == "b" and passed["b"] == pytest.approx(one.far)
        assert one.population == "alike" and one.calibrated_on == "b, 10,000 pairs, the worst of 3 groups; these"


def test_a_small_group_counts_only_where_it_tells_something():
    """Group b is worse but has 1,000 pairs: three false matches at 1 in 333, not at 1 in 1,000."""
    random = np.random.default_rng(3)
    groups = {"a": random.normal(0, 0.1, 100_000), "b": random.normal(0.5, 0.1, 1000)}
    thresholds, notes = alike_thresholds(np.zeros(0), groups, [1e-2, 1 / 300, 1e-3], "these")
    assert [one.far for one in thresholds] == [1e-2, 1 / 300]
    assert all(one.calibrated_on.startswith("b, ") and one.tar is None for one in thresholds)
    told = "no cosine threshold among people who are alike at FAR 0.001: "
    assert notes == [f"{told}b, the worst so far, has 1,000 pairs, and 3 false matches need 3,000"]
    thresholds, notes = alike_thresholds(np.zeros(0), {"a": np.zeros(200), "b": np.zeros(9)}, [1e-3], "these")
    assert not thresholds
    assert notes == [f"{told}a, the largest group, has 200 pairs, and 3 false matches need 3,000"]


def test_people_alike_have_a_threshold_at_one_in_ten_thousand_where_the_worst_group_carries_it():
    random = np.random.default_rng(5)
    groups = {"a": random.normal(0.1, 0.1, 40_000), "b": random.normal(0, 0.1, 90_000)}
    thresholds, notes = alike_thresholds(np.zeros(0), groups, [1e-3, 1e-4], "these")
    assert [one.far for one in thresholds] == [1e-3, 1e-4] and not notes
    assert (groups["a"] >= thresholds[1].value).sum() == 4


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_stricter_rates_never_ask_for_less(seed, count):
    random = np.random.default_rng(seed)
    groups = {str(k): random.normal(random.uniform(0, 0.3), 0.1, random.integers(2, 3000)) for k in range(count)}
    found, _ = alike_thresholds(np.zeros(0), groups, [1e-1, 1e-2, 1e-3], "these")
    values = [one.value for one in found]
    assert values == sorted(values) and len(set(values)) == len(values)


def test_faces_give_all_that_a_card_says():
    embeddings, names = clustered(60, 5, kappa=True)
    names = [*names[:150], *[None] * 150]
    about = [{"age": 30, "sex": "fm"[k % 2], "source": "x"} if k >= 150 else {} for k in range(300)]
    measured = calibrate_faces(known_faces(embeddings, names, about), "made up", [1e-2, 1e-3])
    assert {(one.score, one.population) for one in measured.thresholds} == {
        (score, population) for score in ("cosine", "scf") for population in ("random", "alike")
    }
    assert {one.score for one in measured.probabilities} == {"cosine", "scf"}
    assert len(measured.quantiles) == 21
    assert measured.quantiles[10] == pytest.approx(np.median(embeddings.kappa))
    assert measured.counts["people"] == 30 and measured.counts["strangers"] == 150
    assert measured.measured_on == "300 faces of 30 people and 150 strangers; made up"
    assert measured.to_dict()["thresholds"][0]["far"] == 1e-2

    made = calibrated_card(card(uncertainty={"head": "compact"}), measured)
    assert made.thresholds == measured.thresholds and made.probabilities == measured.probabilities
    assert made.uncertainty.quantiles == measured.quantiles
    assert made.threshold_at(1e-2, "scf", population="alike").population == "alike"


@pytest.mark.parametrize(
    ("people", "merged", "told"),
    [
        (20, 1, ""),
        (20, 2, ""),  # 15 of 69 pairs: less than a quarter
        (20, 4, "66 of 114 genuine pairs are of one person with 12 images"),
        (3, 2, ""),  # 15 of 18 pairs, but each of two people has half on average
    ],
)
def test_one_person_with_most_of_the_genuine_pairs_is_reported(people, merged, told):
    """Some of the people, three images each, under one name."""
    embeddings, names = clustered(people, 3)
    names = [names[0] if k < 3 * merged else name for k, name in enumerate(names)]
    measured = calibrate_faces(known_faces(embeddings, names), "made up", [1e-2])
    lines = [line for line in measured.notes if "of one person" in line]
    assert [line.partition(":")[0] for line in lines] == [told] * bool(told)


def test_a_card_keeps_what_it_says_of_other_flip_rules():
    embeddings, names = clustered(40, 3)
    measured = calibrate_faces(known_faces(embeddings, names), "made up", [1e-2])
    assert any("no age and sex" in line for line in measured.notes)
    before = [{"far": 1e-2, "value": 0.1, "flip": "sum", "calibrated_on": "old"}]
    before += [{"far": 1e-2, "value": 0.2, "calibrated_on": "old"}]
    own = calibrated_card(card(thresholds=before), measured)
    assert [(one.flip, one.calibrated_on == "old") for one in own.thresholds] == [(None, False), ("sum", True)]
    other = calibrated_card(card(thresholds=before, embedding={"dim": 8, "flip": "sum"}), measured)
    flips = [(one.flip, one.calibrated_on == "old") for one in other.thresholds]
    assert flips == [("none", False), ("sum", True), (None, True)]
    assert other.threshold_at(1e-2, flip="none").value == own.threshold_at(1e-2).value


def test_a_list_of_pairs():
    embeddings, _ = clustered(50, 2)
    embeddings = embeddings.with_paths([f"{k // 2}/{k % 2}.jpg" for k in range(100)])
    rows = [(f"{k}/0", f"{k}/1", True, 0) for k in range(50)]
    rows += [(f"{k}/0", f"{j}/1", False, 0) for k in range(50) for j in range(k)]
    measured = calibrate_pairs(embeddings, make_pairs(rows), "a list", [1e-2])
    assert measured.counts == {"images": 100, "genuine_pairs": 50, "impostor_pairs": 1225}
    assert measured.measured_on == "50 genuine and 1,225 impostor pairs; a list"
    with pytest.raises(DatasetError, match="pairs of different people"):
        calibrate_pairs(embeddings, make_pairs(rows[:50]), "a list")


def test_nobody_to_compare_with():
    embeddings, names = clustered(1, 3)
    with pytest.raises(DatasetError, match="two people, or a"):
        calibrate_faces(known_faces(embeddings, names), "one person")
    with pytest.raises(DatasetError, match="3 faces, but 1 names"):
        known_faces(embeddings, names[:1])
