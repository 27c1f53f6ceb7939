"""BLUFR's real trial lists, and the lists of the open-set protocol, published and drawn."""

import numpy as np
import pytest

from facepipe.datasets.templates.blufr import lfw_name, read_blufr
from facepipe.datasets.templates.openset import draw_openset, read_openset
from facepipe.errors import DatasetError


@pytest.fixture(scope="module")
def blufr(shared):
    return read_blufr(shared / "data" / "blufr_lfw_config.mat")


def test_the_real_lists(blufr):
    """The counts of the fact sheet."""
    assert (len(blufr.names), len(np.unique(blufr.person)), len(blufr.trials)) == (13_233, 5_749, 10)
    assert blufr.names[0] == "Aaron_Eckhart/Aaron_Eckhart_0001"
    counts = []
    for trial in blufr.trials:
        test, mated = blufr.person[trial.test], np.isin(blufr.person[trial.probe], blufr.person[trial.gallery])
        same = int((np.bincount(test) * (np.bincount(test) - 1) // 2).sum())
        pairs = len(test) * (len(test) - 1) // 2
        train, gallery = blufr.person[trial.train], blufr.person[trial.gallery]
        people = [len(np.unique(group)) for group in (train, test, gallery)]
        sizes = [len(trial.train), len(test), len(trial.gallery)]
        counts.append([*people, *sizes, mated.sum(), (~mated).sum(), same, pairs - same])
        assert not np.isin(blufr.person[trial.train], test).any()
        assert set(trial.gallery.tolist()) | set(trial.probe.tolist()) == set(trial.test.tolist())
    means = np.mean(counts, axis=0)
    assert means[:8].round(1).tolist() == [1500, 4249, 1000, 3524.7, 9708.3, 1000, 4350.6, 4357.7]
    assert round(means[8]) == 156_915 and round(means[9] / 1e6, 2) == 47.00


def test_names():
    for file in ("Ann_B_0001.jpg", "Ann_B/Ann_B_0001.jpg", "lfw\\Ann_B\\Ann_B_0001.jpg"):
        assert lfw_name(file) == "Ann_B/Ann_B_0001"


def cell(values):
    out = np.empty((len(values), 1), object)
    out[:, 0] = values
    return out


def config(**changes):
    trial = [np.array([[1], [2]], np.uint16)]
    fields = {
        "imageList": cell(["A_0001.jpg", "B_0001.jpg", "B_0002.jpg"]),
        "labels": np.array([[1], [2], [2]], np.uint16),
        **{key: cell(trial) for key in ("trainIndex", "testIndex", "galIndex", "probIndex")},
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


def test_made_up_lists(tmp_path):
    from scipy.io import savemat

    path = tmp_path / "lists.mat"
    savemat(path, config())
    lists = read_blufr(path)
    assert lists.names == ("A/A_0001", "B/B_0001", "B/B_0002") and lists.person.tolist() == [1, 2, 2]
    assert lists.trials[0].probe.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"galIndex": None}, "has no variable galIndex"),
        ({"galIndex": cell([np.array([[4]])])}, "an index is outside of 1 … 3"),
        ({"galIndex": cell([np.array([[0]])])}, "an index is outside of 1 … 3"),
        ({"labels": np.array([[1]])}, "1 label for 3 images"),
        ({"imageList": np.arange(3)}, "not have the form|labels for"),
        ({"trainIndex": cell([np.array([[1]])] * 2)}, "not have the form"),
    ],
)
def test_malformed_lists(tmp_path, changes, match):
    from scipy.io import savemat

    savemat(tmp_path / "lists.mat", config(**changes))
    with pytest.raises(DatasetError, match=match):
        read_blufr(tmp_path / "lists.mat")


def test_no_lists(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.mat: no such file"):
        read_blufr(tmp_path / "gone.mat")
    (tmp_path / "photo.mat").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    with pytest.raises(DatasetError, match="not a readable MATLAB file"):
        read_blufr(tmp_path / "photo.mat")


def test_drawn_open_set(blufr):
    lists = draw_openset(blufr.names, blufr.person, seed=3)
    again, other = (draw_openset(blufr.names, blufr.person, seed=seed) for seed in (3, 4))
    assert len(lists.trials) == 10 and lists.origin == "drawn, seed 3" and not lists.closed
    mated = None
    for trial, same, different in zip(lists.trials, again.trials, other.trials, strict=True):
        np.testing.assert_array_equal(trial.probe, same.probe)
        assert set(trial.gallery.tolist()) != set(different.gallery.tolist())
        enrolled, probe = blufr.person[trial.gallery], blufr.person[trial.probe]
        assert len(enrolled) == len(np.unique(enrolled)) == 596
        assert probe[:596].tolist() == enrolled.tolist() and not (trial.probe[:596] == trial.gallery).any()
        assert not np.isin(probe[596:], enrolled).any() and len(np.unique(probe[596:])) == 5_153
        assert len(probe) - 596 == np.isin(blufr.person, enrolled, invert=True).sum()
        assert mated is None or mated == set(enrolled.tolist())
        mated = set(enrolled.tolist())
    assert not np.array_equal(lists.trials[0].gallery, lists.trials[1].gallery)


def test_drawn_closed_set(blufr):
    lists = draw_openset(blufr.names, blufr.person, closed=True)
    for trial in lists.trials:
        enrolled, probe = blufr.person[trial.gallery], blufr.person[trial.probe]
        assert len(enrolled) == len(np.unique(enrolled)) == 4_249 and len(np.unique(probe)) == 596
        assert np.isin(probe, enrolled).all() and not np.isin(trial.probe, trial.gallery).any()
        assert len(probe) == np.isin(blufr.person, probe).sum() - 596


def test_too_few_people():
    with pytest.raises(DatasetError, match="3 people, 1 of them with two images: too few"):
        draw_openset(("a", "b", "c", "d"), np.array([1, 1, 2, 3]), mated=2)
    lists = draw_openset(("a", "b", "c", "d"), np.array([1, 1, 2, 3]), mated=1, trials=1)
    assert sorted(lists.trials[0].gallery.tolist() + lists.trials[0].probe.tolist()) == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("closed", [False, True])
def test_published_open_set(tmp_path, closed):
    from scipy.io import savemat

    files = cell(["A\\A_0001.jpg", "A\\A_0002.jpg", "B\\B_0001.jpg"])
    savemat(tmp_path / "imagelist_lfw.mat", {"imagelist_lfw": files})
    savemat(tmp_path / "id_lfw.mat", {"id_lfw": np.array([[1], [1], [2]])})
    end = "_close" if closed else ""
    for part, value in (("gallery", 1), ("genuine_probe", 2), ("impostor_probe", 3)):
        index = {f"{part}_index_{number}": np.array([[value]]) for number in range(1, 11)}
        savemat(tmp_path / f"lfw_{part}_index{end}.mat", index)
    lists = read_openset(tmp_path, closed)
    assert lists.names == ("A/A_0001", "A/A_0002", "B/B_0001") and len(lists.trials) == 10 and lists.closed == closed
    assert (lists.trials[9].gallery.tolist(), lists.trials[9].probe.tolist()) == ([0], [1, 2])
    with pytest.raises(DatasetError, match=r"lfw_gallery_index.*mat: no such file"):
        read_openset(tmp_path, not closed)
