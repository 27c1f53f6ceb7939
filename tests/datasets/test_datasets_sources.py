"""Identity folders, list files, manifests, and what is done with small and held-out identities."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from train_tiny import crop, encoded, write_folders, write_shard

from facepipe.datasets import (
    add_unlabelled,
    drop_small,
    fingerprint,
    hold_out,
    hold_out_images,
    join_samples,
    leave_out,
    open_samples,
    open_unlabelled,
    take,
)
from facepipe.errors import DatasetError
from facepipe.images import read_rgb


def test_folders_give_sorted_identities_and_their_pixels(tmp_path):
    samples = open_samples([write_folders(tmp_path / "faces", identities=3, images=2)])
    assert list(samples.identities) == ["person00", "person01", "person02"]
    assert samples.labels.tolist() == [0, 0, 1, 1, 2, 2]
    for index, (identity, image) in enumerate([(i, k) for i in range(3) for k in range(2)]):
        assert (read_rgb(samples.read(index)) == crop(identity, image)).all()
        assert samples.key(index).endswith(str(Path(f"person{identity:02d}", f"{image}.png")))


def test_empty_folders_and_stray_images_are_noted_not_numbered(tmp_path):
    root = write_folders(tmp_path / "faces", identities=2, images=1)
    (root / "aaa-nobody").mkdir()
    (root / "stray.png").write_bytes(encoded(crop(0, 0)))
    samples = open_samples([root])
    assert samples.labels.tolist() == [0, 1]
    assert len(samples.notes) == 2
    assert "1 identity folder without images" in samples.notes[0] and "aaa-nobody" in samples.notes[0]
    assert "1 image outside of identity folders" in samples.notes[1]


@pytest.mark.parametrize(
    ("text", "identities", "labels"),
    [
        ("a.png\t7\nb.png\t11\nc.png\t7\n", ["7", "11"], [0, 1, 0]),  # numbers in numeric order, with a gap
        ("# SphereFace\na.png ann\n\nb.png bob\nc.png ann\n", ["ann", "bob"], [0, 1, 0]),
        ("0\t1.000000\ta.png\n1\t0.000000\tb.png\n2\t1.000000\tc.png\n", ["0", "1"], [1, 0, 1]),  # im2rec
        ("name with blanks/a.png 3\nb.png 2\nc.png 3\n", ["2", "3"], [1, 0, 1]),
    ],
)
def test_list_files(tmp_path, text, identities, labels):
    (tmp_path / "list.txt").write_text(text)
    (tmp_path / "name with blanks").mkdir()
    for folder in (tmp_path, tmp_path / "name with blanks"):
        (folder / "a.png").write_bytes(encoded(crop(0, 0)))
    samples = open_samples([tmp_path / "list.txt"])
    assert (list(samples.identities), samples.labels.tolist()) == (identities, labels)
    assert (read_rgb(samples.read(0)) == crop(0, 0)).all()
    assert samples.size(0) == len(samples.read(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png 1\nb.png -2\n", r"list.txt, line 2: label -2 is out of range; numbers start from 0"),
        ("a.png 1\nb.png\n", r"list.txt, line 2: must be 'IMAGE LABEL', not 'b.png'"),
        ("\n", r"list.txt: has no labelled images"),
    ],
)
def test_bad_lists_name_the_line(tmp_path, text, message):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_samples([tmp_path / "list.txt"])


def test_manifest_takes_good_rows_with_an_identity(tmp_path):
    for name in ("a", "b", "d"):
        (tmp_path / f"{name}.png").write_bytes(encoded(crop(ord(name), 0)))
    table = {
        "path": ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"],
        "crops": [["a.png"], ["b.png"], [], ["d.png", "a.png"], ["e.png"]],
        "identity": ["zoe", "ann", "ann", "zoe", None],
        "status": ["ok", "ok", "no_face", "ok", "ok"],
    }
    pq.write_table(pa.table(table), tmp_path / "manifest.parquet")
    for path in (tmp_path, tmp_path / "manifest.parquet"):
        samples = open_samples([path])
        assert list(samples.identities) == ["ann", "zoe"]
        assert samples.labels.tolist() == [1, 0, 1, 1]
        assert (read_rgb(samples.read(2)) == crop(ord("d"), 0)).all()
        assert samples.notes == (f"{path}: 1 crop without an identity left out",)


def test_bad_manifests(tmp_path):
    pq.write_table(pa.table({"crops": [["a"]], "status": ["ok"]}), tmp_path / "m.parquet")
    with pytest.raises(DatasetError, match=r"m\.parquet: no column identity; is it a manifest"):
        open_samples([tmp_path / "m.parquet"])
    (tmp_path / "n.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match=r"n\.parquet: not a Parquet manifest"):
        open_samples([tmp_path / "n.parquet"])


def test_same_names_in_two_folders_stay_two_people(tmp_path):
    first = write_folders(tmp_path / "a", identities=2, images=1)
    second = write_folders(tmp_path / "b", identities=3, images=2)
    samples = open_samples([first, second])
    assert samples.labels.tolist() == [0, 1, 2, 2, 3, 3, 4, 4]
    assert samples.identities == ["0:person00", "0:person01", "1:person00", "1:person01", "person02"]
    assert str(second / "person01" / "1.png") == samples.key(5)
    assert samples.read(5) == (second / "person01" / "1.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "nothing: no such training data"), ("a.bin", "a.bin: unknown kind of training data")],
)
def test_unknown_paths(tmp_path, name, message):
    if name.endswith("bin"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DatasetError, match=message):
        open_samples([tmp_path / name])


def test_no_data_says_how_to_name_some():
    with pytest.raises(DatasetError, match="name it with paths"):
        open_samples([])


def sized(tmp_path, counts):
    for identity, count in enumerate(counts):
        folder = tmp_path / "all" / f"p{identity}"
        folder.mkdir(parents=True)
        for image in range(count):
            (folder / f"{image}.png").write_bytes(b"unread")
    return open_samples([tmp_path / "all"])


def test_small_identities_are_dropped_and_classes_numbered_anew(tmp_path):
    samples = drop_small(sized(tmp_path, [1, 3, 2, 4]), 3)
    assert samples.identities == ["p1", "p3"]
    assert samples.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert samples.key(3).endswith(str(Path("p3", "0.png")))


@pytest.mark.parametrize(("least", "who"), [(4, "only one identity"), (9, "no identity")])
def test_fewer_than_two_people_is_an_error(tmp_path, least, who):
    with pytest.raises(DatasetError, match=f"{who} with at least {least} image"):
        drop_small(sized(tmp_path, [1, 3, 2, 4]), least)


def test_held_out_identities_are_whole_and_gone_from_training(tmp_path):
    samples = sized(tmp_path, [1, 3, 2, 4, 5, 2])
    train, apart = hold_out(samples, 2, seed=3)
    assert len(train) + len(apart) == len(samples)
    assert not set(train.identities) & set(apart.identities)
    assert "p0" in train.identities  # one image makes no genuine pair
    assert set(np.unique(apart.labels)) == {0, 1}
    again, _ = hold_out(samples, 2, seed=3)
    assert fingerprint(again) == fingerprint(train)
    assert hold_out(samples, 0, seed=3) == (samples, None)


@pytest.mark.parametrize("count", [1, 5, 6])
def test_impossible_hold_out(tmp_path, count):
    with pytest.raises(DatasetError, match=f"data.held_out = {count} is impossible: 5 of 6 identities"):
        hold_out(sized(tmp_path, [1, 3, 2, 4, 5, 2]), count, seed=0)


def strangers(path, order):
    """Images 0 … 11 in the order given, the even ones of source ``a``."""
    images = [(f"k{n}", encoded(crop(n, 0)), {"source": "ab"[n % 2], "age": 20 + n}) for n in order]
    return open_unlabelled([write_shard(path, images)])


def test_held_out_images_do_not_depend_on_how_they_are_packed(tmp_path):
    ages = []
    for name, order in (("one.tar", range(12)), ("two.tar", reversed(range(12)))):
        samples = strangers(tmp_path / name, order)
        train, apart = hold_out_images(samples, {"a": 2, "b": 3})
        assert [len(train), len(apart)] == [7, 5]
        assert sorted(apart.about(i)["source"] for i in range(5)) == ["a", "a", "b", "b", "b"]
        assert set(train.labels) == set(apart.labels) == {-1}
        told = [[part.about(i)["age"] for i in range(len(part))] for part in (train, apart)]
        assert sorted(told[0] + told[1]) == list(range(20, 32))
        ages.append(set(told[1]))
        more = hold_out_images(samples, {"a": 3, "b": 3})[1]
        assert ages[-1] < {more.about(i)["age"] for i in range(6)}
    assert ages[0] == ages[1]
    chosen = {frozenset(part.about(i)["age"] for i in range(5)) for part in (
        hold_out_images(samples, {"a": 2, "b": 3}, seed)[1] for seed in range(4)
    )}  # fmt: skip
    assert len(chosen) > 1
    assert hold_out_images(samples, {}) == (samples, None)
    with pytest.raises(DatasetError, match="source 'a' has 6 images, not 7"):
        hold_out_images(samples, {"a": 7})


def test_metadata_stay_with_their_image(tmp_path):
    named = open_samples([write_shard(tmp_path / "named.tar", [
        ("x", encoded(crop(1, 0)), {"identity": "p", "yaw": 3}), ("y", encoded(crop(2, 0)), {"identity": "q"}),
    ])])  # fmt: skip
    folders = sized(tmp_path, [1])
    everything = add_unlabelled(join_samples([named, folders]), strangers(tmp_path / "s.tar", range(3)))
    told = [dict(everything.about(i)) for i in range(len(everything))]
    assert told[:3] == [{"identity": "p", "yaw": 3}, {"identity": "q"}, {}]
    assert [one["age"] for one in told[3:]] == [20, 21, 22]
    some = take(everything, np.array([4, 0]))
    assert [some.about(0)["age"], some.about(1)["yaw"]] == [21, 3]
    assert some.labels.tolist() == [-1, 0] and some.identities == ["p"]


def test_leave_out_by_name(tmp_path):
    samples = sized(tmp_path, [1, 2, 1])
    assert leave_out(samples, {"p1", "unknown"}).identities == ["p0", "p2"]
    with pytest.raises(DatasetError, match=r"data\.exclude leaves no identity"):
        leave_out(samples, {"p0", "p1", "p2"})


def test_fingerprint_distinguishes_data(tmp_path):
    samples = sized(tmp_path, [2, 2, 2])
    others = take(samples, np.arange(5)), join_samples([samples, samples])
    assert len({fingerprint(data) for data in (samples, *others)}) == 3


def test_an_unlabelled_folder_comes_in_the_order_of_its_paths(tmp_path):
    """By parts, in which a folder stands before one whose name goes on: what a run that goes on relies on."""
    names = ["a/2.png", "a/1.png", "a-b/1.png", "a b/1.png", "a/c/1.png", "a.png", "é/1.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(crop(0, 0)))
    samples = open_unlabelled([tmp_path])
    found = [samples.key(index) for index in range(len(samples))]
    assert found == [str(path) for path in sorted(tmp_path / name for name in names)]
    assert found != sorted(found)
    assert samples.size(0) == len(samples.read(0))
