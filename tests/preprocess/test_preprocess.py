"""The dataset job: what it writes, and what it makes of odd trees and settings."""

import csv
import os
import shutil
import sys

import cv2
import numpy as np
import pytest

from facepipe.detection import choose, create_detector, preset
from facepipe.errors import DatasetError, ImageError
from facepipe.images import encode_rgb, read_rgb, write_rgb
from facepipe.preprocess import Plan, preprocess, processing, read_manifest
from facepipe.preprocess import plan as plan_module

FAST = preset("fast")
CUT = "broken/cut.jpg"


def shrunk(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def raw(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("data") / "raw"
    good = {
        "top.jpg": 160,
        "Zoë Nuñez/1.jpg": 200,
        "Zoë Nuñez/2.png": 150,
        "李 雷/a.JPG": 140,
        "same/x.jpg": 130,
        "same/x.png": 170,
        "same/y.jpg": 130,
        "deep/er/z.jpg": 120,
        ".hidden/no.jpg": 120,
    }
    for name, side in good.items():
        write_rgb(root / name, shrunk(astronaut, side))
    write_rgb(root / "nobody" / "grey.png", np.full((80, 90, 3), 128, np.uint8))
    (root / "broken").mkdir()
    (root / CUT).write_bytes(encode_rgb(shrunk(astronaut, 200), ".jpg")[:4000])
    (root / "broken" / "text.jpg").write_text("not a picture")
    (root / "notes.txt").write_text("no image by its name")
    return root


ORDER = [
    "top.jpg",
    "Zoë Nuñez/1.jpg",
    "Zoë Nuñez/2.png",
    CUT,
    "broken/text.jpg",
    "deep/er/z.jpg",
    "nobody/grey.png",
    "same/x.jpg",
    "same/x.png",
    "same/y.jpg",
    "李 雷/a.JPG",
]


def run(raw, out, **options):
    shard = options.pop("shard", (1, 1))
    overwrite = options.pop("overwrite", False)
    return preprocess(Plan(raw, out, detection=FAST, shard=shard, **options), "cpu", overwrite)


def crops(out):
    """Bytes of every crop under ``out``."""
    found = (path for path in out.rglob("*") if path.is_file() and path.suffix in (".jpg", ".png"))
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(raw, tmp_path_factory):
    """A run of everything in one go, in units of three images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "UNIT", 3)
        out = tmp_path_factory.mktemp("whole")
        return out, run(raw, out)


def test_report_and_crops(whole):
    out, report = whole
    assert (report.total, report.crops) == (11, 8)
    assert report.statuses == {"ok": 8, "error": 2, "no_face": 1}
    assert report.manifest == out / "manifest.parquet" and report.skipped == out / "skipped.csv"
    expected = {"top.jpg", "Zoë Nuñez/1.jpg", "Zoë Nuñez/2.jpg", "same/x.jpg.jpg", "same/x.png.jpg"}
    expected |= {"same/y.jpg", "deep/er/z.jpg", "李 雷/a.jpg"}
    assert set(crops(out)) == expected
    assert all(read_rgb(out / name).shape == (112, 112, 3) for name in expected)
    assert not list(out.rglob("*.tmp"))


def test_manifest_tells_of_every_image_in_order(raw, whole):
    rows = list(read_manifest(whole[0]))
    assert [row["path"] for row in rows] == ORDER
    assert [row["identity"] for row in rows[:3]] == ["", "Zoë Nuñez", "Zoë Nuñez"]
    assert rows[5]["identity"] == "deep", "the top folder, however deep the image lies"
    detector = create_detector(FAST, "cpu")
    for row in rows:
        if row["status"] == "error":
            assert (row["height"], row["width"], row["faces"], row["crops"]) == (0, 0, 0, [])
            continue
        image = read_rgb(raw / row["path"])
        faces = detector([image])[0]
        assert (row["height"], row["width"], row["faces"]) == (*image.shape[:2], len(faces))
        for column in ("boxes", "landmarks", "scores"):
            stored = np.array(row[column], np.float32).reshape(getattr(faces, column).shape)
            np.testing.assert_allclose(stored, getattr(faces, column), atol=1e-3)
        assert row["chosen"] == choose(faces, "centre", image.shape[:2]).tolist()
        assert len(row["crops"]) == len(row["chosen"]) and (row["reason"] == "") == (row["status"] == "ok")
    assert [rows[index]["crops"] for index in (7, 8)] == [["same/x.jpg.jpg"], ["same/x.png.jpg"]]


def test_skipped_lists_what_gave_no_crop(whole):
    with (whole[0] / "skipped.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["status"]) for row in rows] == [
        (CUT, "error"),
        ("broken/text.jpg", "error"),
        ("nobody/grey.png", "no_face"),
    ]
    assert "truncated" in rows[0]["reason"] and "not an image" in rows[1]["reason"]
    assert rows[2]["reason"] == "no face found"


def test_crops_are_aligned(raw, whole):
    from facepipe.alignment import Aligner

    detector, aligner = create_detector(FAST, "cpu"), Aligner("112x112")
    for name, crop in (("top.jpg", "top.jpg"), ("same/x.png", "same/x.png.jpg")):
        image = read_rgb(raw / name)
        expected = aligner(image, detector([image])[0].landmarks[0]).astype(int)
        assert np.abs(read_rgb(whole[0] / crop) - expected).mean() < 3


def test_a_second_run_does_nothing_again(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT", 3)
    run(raw, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    monkeypatch.setattr(processing, "create_detector", None)  # would fail if it were asked for
    steps = []
    plan = Plan(raw, tmp_path, detection=FAST)
    report = preprocess(plan, "cpu", begun=lambda total, done: steps.append((total, done)), advance=steps.append)
    assert steps == [(11, 11)] and report.total == 11
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == before


def test_shards_together_equal_the_whole(raw, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT", 3)
    first, second = (run(raw, tmp_path, shard=(part, 2)) for part in (1, 2))
    assert (first.total, second.total) == (6, 5)
    assert first.manifest.name == "manifest-00001-of-00002.parquet"
    assert second.skipped == tmp_path / "skipped-00002-of-00002.csv"
    rows = sorted(read_manifest(tmp_path), key=lambda row: ORDER.index(row["path"]))
    assert rows == list(read_manifest(whole[0]))
    assert crops(tmp_path) == crops(whole[0])
    begun = []
    plan = Plan(raw, tmp_path, detection=FAST, shard=(2, 2))
    assert preprocess(plan, "cpu", begun=lambda total, done: begun.append((total, done))) == second
    assert begun == [(5, 5)]
    with pytest.raises(DatasetError, match=r"begun with shards 2, now 1"):
        run(raw, tmp_path)


def test_more_shards_than_units(raw, tmp_path):
    report = run(raw, tmp_path, shard=(2, 2))
    assert (report.total, report.crops, report.skipped) == (0, 0, None)
    assert list(read_manifest(tmp_path)) == []


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0), (-1, -1)])
def test_impossible_shards(raw, tmp_path, shard):
    with pytest.raises(DatasetError, match="must be i/n"):
        run(raw, tmp_path, shard=shard)


@pytest.mark.parametrize(
    "change", [{"template": "112x96"}, {"rule": "all"}, {"on_miss": "centre"}, {"suffix": ".png"}, {"quality": 80}]
)
def test_other_settings_are_refused_by_name(raw, whole, change):
    named = {"rule": "faces", "suffix": "format"}.get(next(iter(change)), next(iter(change)))
    with pytest.raises(DatasetError, match=rf"begun with {named} .*, now .*overwrite=True"):
        run(raw, whole[0], **change)


def test_another_detection_is_refused_too(raw, whole):
    with pytest.raises(DatasetError, match="begun with detection"):
        preprocess(Plan(raw, whole[0]), "cpu")
    with pytest.raises(DatasetError, match="begun with detection"):
        preprocess(Plan(raw, whole[0], detection=None), "cpu")
    with pytest.raises(DatasetError, match="begun with root"):
        run(raw / "same", whole[0])


def test_overwrite_starts_over(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT", 3)
    run(raw / "same", tmp_path, shard=(1, 2))
    report = run(raw / "same", tmp_path, overwrite=True, suffix=".png", template="112x96", on_miss="centre")
    assert report.statuses == {"ok": 3} and report.skipped is None
    # The manifest of the shard before must not be read with this one.
    assert [row["crops"] for row in read_manifest(tmp_path)] == [["x.jpg.png"], ["x.png.png"], ["y.png"]]
    assert read_rgb(tmp_path / "y.png").shape == (112, 96, 3)


def test_all_faces_and_the_centre(raw, tmp_path, astronaut):
    root = tmp_path / "raw"
    face = shrunk(astronaut, 150)
    write_rgb(root / "two.png", np.concatenate([face, face[:, ::-1]], axis=1))
    shutil.copytree(raw / "nobody", root / "nobody")
    report = run(root, tmp_path / "out", rule="all", on_miss="centre")
    assert report.statuses == {"ok": 1, "centre": 1} and report.crops == 3 and report.skipped is None
    assert set(crops(tmp_path / "out")) == {"two_0.jpg", "two_1.jpg", "nobody/grey_0.jpg"}
    two, nobody = read_manifest(tmp_path / "out")
    assert (two["faces"], sorted(two["chosen"])) == (2, [0, 1])
    assert (nobody["status"], nobody["chosen"], nobody["faces"]) == ("centre", [], 0)


def test_aligned_crops_are_taken_as_they_are(raw, tmp_path):
    report = preprocess(Plan(raw / "same", tmp_path, detection=None, suffix=".png"), "cpu")
    assert report.statuses == {"aligned": 3}
    assert [row["boxes"] for row in read_manifest(tmp_path)] == [[], [], []]


def test_one_file_as_the_dataset(raw, tmp_path):
    assert run(raw / "top.jpg", tmp_path).crops == 1
    assert set(crops(tmp_path)) == {"top.jpg"}
    assert [(row["path"], row["identity"]) for row in read_manifest(tmp_path)] == [("top.jpg", "")]


def test_crops_inside_the_raw_folder_are_not_taken_for_raw_images(raw, tmp_path):
    root = tmp_path / "raw"
    shutil.copytree(raw / "same", root / "same")
    assert run(root, root / "crops").total == 3
    assert run(root, root / "crops", overwrite=True).total == 3
    assert set(crops(root / "crops")) == {"same/x.jpg.jpg", "same/x.png.jpg", "same/y.jpg"}


def test_crops_never_go_onto_or_above_the_raw_images(raw, tmp_path):
    root = tmp_path / "data" / "raw"
    shutil.copytree(raw / "same", root)
    link = tmp_path / "link"
    link.symlink_to(root)
    for source, out in ((root, root), (root, root.parent), (root, link), (root / "y.jpg", root), (link, root / ".")):
        with pytest.raises(DatasetError, match="must not go into the raw images'"):
            run(source, out)
    assert sorted(path.name for path in root.iterdir()) == ["x.jpg", "x.png", "y.jpg"]


def test_nothing_to_do(tmp_path):
    (tmp_path / "raw" / "a").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no images; the layout is"):
        run(tmp_path / "raw", tmp_path / "out")
    with pytest.raises(ImageError, match="no such file or folder"):
        run(tmp_path / "missing", tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_name_that_is_no_utf8(raw, tmp_path):
    folder = tmp_path / "raw" / "a"
    folder.mkdir(parents=True)
    for name, source in ((b"caf\xe9.jpg", "top.jpg"), (b"caf\xe9 bad.jpg", CUT)):
        shutil.copy(raw / source, folder / os.fsdecode(name))
    report = run(tmp_path / "raw", tmp_path / "out")
    assert report.statuses == {"ok": 1, "error": 1}
    assert [os.fsencode(path.name) for path in (tmp_path / "out" / "a").iterdir()] == [b"caf\xe9.jpg"]
    assert "a/caf\\udce9.jpg" in [row["path"] for row in read_manifest(tmp_path / "out")]


def test_a_folder_without_a_manifest_and_a_damaged_one(tmp_path):
    with pytest.raises(DatasetError, match="no manifest; 'facepipe preprocess RAW"):
        list(read_manifest(tmp_path))
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DatasetError, match=r"manifest\.parquet: damaged; run"):
        list(read_manifest(tmp_path))
