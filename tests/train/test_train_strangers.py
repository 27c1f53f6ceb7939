"""Who is a stranger to whom, and in which order they come."""

import numpy as np
import pytest
from train_tiny import crop, encoded, write_folders, write_shard

from facepipe.datasets import add_unlabelled, at_most, open_samples, open_unlabelled
from facepipe.losses.strangers import NO_GROUP
from facepipe.train.data.groups import SMALLEST, has_age_and_sex, stranger_groups
from facepipe.train.data.stranger_order import StrangerOrder


def opened(tmp_path, abouts):
    image = encoded(crop(0, 0))
    shard = write_shard(tmp_path / "more.tar", [(f"{i:03d}", image, about) for i, about in enumerate(abouts)])
    named = open_samples([write_folders(tmp_path / "faces", identities=2, images=2)])
    return add_unlabelled(named, open_unlabelled([shard]))


def test_groups_are_of_one_source_origin_sex_and_band(tmp_path):
    def about(**other):
        return {"source": "utk", "origin": "indian", "sex": "f", "age": 35} | other

    changes = {}, {"age": 60}, {"age": 61}, {"sex": "m"}, {"origin": "black"}, {"source": "aaf", "origin": ""}
    abouts = [about(**change) for change in changes for _ in range(SMALLEST)]
    abouts[SMALLEST + 1] |= {"sex": "Female", "origin": "Indian"}  # as calibration reads them
    samples = opened(tmp_path, [*abouts, *[about(age=2)] * (SMALLEST - 1), about(age=True), {}])
    groups, names = stranger_groups(samples)
    assert names == ["aaf f 20", "utk black f 20", "utk indian f 20", "utk indian f 61", "utk indian m 20"]
    assert groups[:4].tolist() == [NO_GROUP] * 4  # people with a name
    of_kind = groups[4 : 4 + 6 * SMALLEST].reshape(6, SMALLEST)
    assert (of_kind == of_kind[:, :1]).all() and [names[g] for g in of_kind[:, 0]] == [
        "utk indian f 20", "utk indian f 20", "utk indian f 61", "utk indian m 20", "utk black f 20", "aaf f 20",
    ]  # fmt: skip
    assert (groups[4 + 6 * SMALLEST :] == NO_GROUP).all()  # too few babies; nothing known
    assert has_age_and_sex(samples)[-3:].tolist() == [True, False, False]
    only, names = stranger_groups(samples, ["aaf"])
    assert names == ["aaf f 20"] and (only != NO_GROUP).sum() == SMALLEST


GROUPS = np.array([NO_GROUP] * 30 + [0] * 200 + [1] * 9 + [2] * 12)


def test_batches_have_people_and_strangers_of_groups_drawn_by_the_root_of_their_size():
    order = StrangerOrder(GROUPS, 5, batch=14, strangers=8)
    drawn = []
    for unit in range(300):
        indices, _ = order.at(unit * 14, 14)
        assert (GROUPS[indices[:6]] == NO_GROUP).all()
        strangers = indices[6:]
        assert len(set(GROUPS[strangers])) == 1 and len(set(strangers)) == 8
        drawn.append(GROUPS[strangers[0]])
    roots = np.sqrt([200, 9, 12])
    assert np.bincount(drawn) == pytest.approx(300 * roots / roots.sum(), abs=25)
    people = np.concatenate([order.at(unit * 14, 14)[0][:6] for unit in range(5)])
    assert sorted(people) == list(range(30))  # an epoch of them


def test_only_positions_matter():
    order = StrangerOrder(GROUPS, 5, batch=14, strangers=8, groups_at_once=2)
    whole, epochs = order.at(0, 14 * 6)
    parts = [StrangerOrder(GROUPS, 5, 14, 8, 2).at(first, 7) for first in range(0, 14 * 6, 7)]
    assert np.concatenate([indices for indices, _ in parts]).tolist() == whole.tolist()
    assert np.concatenate([turns for _, turns in parts]).tolist() == epochs.tolist()
    assert StrangerOrder(GROUPS, 6, 14, 8, 2).at(0, 84)[0].tolist() != whole.tolist()


def test_repeated_and_skipped_samples():
    skip = np.zeros(len(GROUPS), bool)
    skip[[0, 31]] = True
    order = StrangerOrder(GROUPS, 5, batch=4, strangers=0, extra=np.array([7, 7]), skip=skip)
    indices, _ = order.at(0, 31)
    assert sorted(indices) == sorted([*range(1, 30), 7, 7])


def test_turned_faces_stay_when_an_identity_has_too_many(tmp_path):
    image = encoded(crop(0, 0))
    faces = [(f"{i:02d}", image, {"identity": "ab"[i % 2], "yaw": -50 if i in (6, 9, 12) else 10}) for i in range(20)]
    samples = open_samples([write_shard(tmp_path / "s.tar", [*faces, ("99", image, {"identity": "c"})])])
    kept = at_most(samples, 4, seed=1)
    assert np.bincount(kept.labels).tolist() == [4, 4, 1] and kept.identities == ["a", "b", "c"]
    assert sum(abs(kept.about(i).get("yaw", 0)) == 50 for i in range(len(kept))) == 3
    fewer = at_most(samples, 2, seed=1)
    assert {kept.key(i) for i in range(len(kept))} > {fewer.key(i) for i in range(len(fewer))}
    assert at_most(samples, 10, seed=1) is samples
    assert [kept.key(i) for i in range(9)] != [at_most(samples, 4, seed=2).key(i) for i in range(9)]


def test_without_yaw_chance_decides(tmp_path):
    samples = open_samples([write_folders(tmp_path / "faces", identities=3, images=6)])
    assert np.bincount(at_most(samples, 2, seed=0).labels).tolist() == [2, 2, 2]


@pytest.mark.parametrize("count", [1, 2])
def test_more_groups_at_once_than_there_are_come_twice(count):
    order = StrangerOrder(np.array([NO_GROUP, *[0] * 10]), 1, batch=5, strangers=4, groups_at_once=count)
    assert order.at(0, 5)[0][0] == 0
