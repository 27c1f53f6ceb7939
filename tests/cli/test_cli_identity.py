"""One rule of who is who, whatever command looks at the folders."""

import shutil

import cv2
import numpy as np
import pytest
from cli_run import run, tiny_model

from facepipe.datasets import open_samples
from facepipe.images import write_rgb
from facepipe.preprocess.manifest import read_manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def face(astronaut):
    return cv2.resize(astronaut[:300, 80:380], (120, 120), interpolation=cv2.INTER_AREA)


def write(root, face, *names):
    for number, name in enumerate(names):
        write_rgb(root / name, np.clip(face.astype(int) + 15 * number, 0, 255).astype(np.uint8))
    return root


CFP = ["001/frontal/01.png", "001/profile/01.png", "002/frontal/01.png", "002/profile/02.png"]
SPLITS = ["train/ada/1.png", "train/bo/1.png", "test/ada/1.png", "test/bo/1.png"]
LAYOUTS = {
    "below": (CFP, 1, ["001", "002"], False),
    "splits": (SPLITS, 1, ["test", "train"], True),
    "splits-2": (SPLITS, 2, ["ada", "bo"], False),
    "plain": (["ada/1.png", "ada/2.png", "bo/1.png", "bo/deep/2.png"], 1, ["ada", "bo"], False),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory, face):
    names, depth, people, remarked = LAYOUTS[request.param]
    return write(tmp_path_factory.mktemp("raw") / "raw", face, *names), depth, people, remarked


def check(ended, remarked):
    assert ended.code == 0, ended.err
    assert ("--identity-depth 2" in ended.err) == remarked, ended.err


def test_preprocess_and_train(layout, tmp_path):
    raw, depth, people, remarked = layout
    ended = run("preprocess", raw, tmp_path / "crops", "--already-aligned", "--identity-depth", depth)
    check(ended, remarked)
    assert f"4 crops of {len(people)} people" in ended.out
    assert sorted({row["identity"] for row in read_manifest(tmp_path / "crops")}) == people
    assert sorted(open_samples([tmp_path / "crops"]).identities) == people
    folders = open_samples([raw], identity_depth=depth)
    assert sorted(folders.identities) == people
    assert any("identity_depth=2" in line for line in folders.notes) == remarked


def test_another_depth_takes_no_new_work(face, tmp_path):
    raw = write(tmp_path / "raw", face, *SPLITS)
    run("preprocess", raw, tmp_path / "crops", "--already-aligned")
    crops = {path: path.stat().st_mtime_ns for path in (tmp_path / "crops").rglob("*.jpg")}
    again = run("preprocess", raw, tmp_path / "crops", "--already-aligned", "--identity-depth", 2, "--json")
    assert again.json["identities"] == 2 and again.json["layout"] == ""
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "crops").rglob("*.jpg")} == crops
    assert [row["identity"] for row in read_manifest(tmp_path / "crops")] == ["ada", "bo", "ada", "bo"]


def test_gallery(layout, model, tmp_path):
    raw, depth, people, remarked = layout
    words = ["-m", model, "--identity-depth", depth, "--no-turns"]
    ended = run("gallery", "build", raw, tmp_path / "g.parquet", *words)
    check(ended, remarked)
    listed = run("gallery", "list", tmp_path / "g.parquet", "--json").json
    assert listed["people"] == dict.fromkeys(people, 2)
    assert run("gallery", "add", tmp_path / "g.parquet", raw, *words).code == 0
    again = run("gallery", "list", tmp_path / "g.parquet", "--json").json
    assert again["people"] == dict.fromkeys(people, 2), "the same pictures are there once"


def test_embeddings(layout, model, tmp_path):
    raw, depth, people, remarked = layout
    stored = tmp_path / "e.parquet"
    assert run("embed", raw, "-o", stored, "-m", model, "--already-aligned").code == 0
    listed = run("gallery", "list", stored, "--identity-depth", depth, "--json")
    check(listed, remarked)
    assert listed.json["people"] == dict.fromkeys(people, 2)
    angles = run("inspect", "angles", stored, "--identity-depth", depth, "--json")
    check(angles, remarked)
    assert (angles.json["identities"], angles.json["without_identity"]) == (len(people), 0)


def test_embeddings_of_one_person_s_folders_know_what_was_given(face, model, tmp_path):
    """Of the paths alone nobody can tell that frontal and profile are no people."""
    raw = write(tmp_path / "raw", face, "001/frontal/01.png", "001/profile/01.png")
    assert run("embed", raw, "-o", tmp_path / "e.parquet", "-m", model, "--already-aligned").code == 0
    assert run("gallery", "list", tmp_path / "e.parquet", "--json").json["people"] == {"001": 2}


def test_calibrate(layout, model, tmp_path):
    raw, depth, _, remarked = layout
    for source in (raw, tmp_path / "e.parquet"):
        if source.suffix:
            run("embed", raw, "-o", source, "-m", model, "--already-aligned")
        card = shutil.copytree(model, tmp_path / f"model-{source.name}")
        words = ["--already-aligned"] if source is raw else []
        ended = run("calibrate", card, source, "--far", 0.5, "--identity-depth", depth, *words, "--json")
        check(ended, remarked)
        assert any("--identity-depth 2" in line for line in ended.json["notes"]) == remarked


def test_what_lies_too_high_is_left_out_and_told(face, model, tmp_path):
    raw = write(tmp_path / "raw", face, "train/ada/1.png", "train/ada/2.png", "train/stray.png", "test/bo/1.png")
    assert open_samples([raw], identity_depth=2).identities == ["ada", "bo"]
    cut = run("preprocess", raw, tmp_path / "crops", "--already-aligned", "--identity-depth", 2)
    assert cut.code == 0 and "1 photo without an identity: in no folder at depth 2" in cut.err
    assert "4 crops of 2 people" in cut.out
    built = run("gallery", "build", raw, tmp_path / "g.parquet", "-m", model, "--identity-depth", 2, "--json")
    assert built.json["people"] == {"ada": 2, "bo": 1}
    assert built.json["passed_over"]["photo outside people's folders"]["count"] == 1
    run("embed", raw, "-o", tmp_path / "e.parquet", "-m", model, "--already-aligned")
    angles = run("inspect", "angles", tmp_path / "e.parquet", "--identity-depth", 2, "--json")
    assert (angles.json["images"], angles.json["without_identity"]) == (3, 1)
    assert "1 photo not in a folder at depth 2 left out" in angles.err


def test_two_photos_of_one_name_are_both_kept(astronaut, face, model, tmp_path):
    """From two phones, by add, and by merge; each is told."""
    other = cv2.resize(astronaut[20:260, 100:340], (200, 200), interpolation=cv2.INTER_AREA)[:, ::-1]
    for folder, picture in (("phone1", face), ("phone2", other)):
        write_rgb(tmp_path / folder / "amy" / "IMG_0001.png", picture)
        assert run("gallery", "build", tmp_path / folder, tmp_path / f"{folder}.parquet", "-m", model).code == 0
    built = run(
        "gallery", "build", tmp_path / "phone1", tmp_path / "phone2", tmp_path / "both.parquet", "-m", model, "--json"
    )
    added = run("gallery", "add", tmp_path / "phone1.parquet", tmp_path / "phone2", "-m", model, "--json")
    shutil.copy(tmp_path / "phone1.parquet", tmp_path / "copy.parquet")
    run("gallery", "build", tmp_path / "phone1", tmp_path / "phone1.parquet", "-m", model, "--overwrite")
    merged = run(
        "gallery", "merge", tmp_path / "phone1.parquet", tmp_path / "phone2.parquet", "-o", tmp_path / "m.parquet",
        "--json",
    )
    for ended in (built, added, merged):
        assert ended.json["people"] == {"amy": 2}
        assert [r["path"] for r in ended.json["remarks"] if r["kind"] == "renamed"] == ["amy/IMG_0001_2.png"]
    again = run("gallery", "merge", tmp_path / "phone1.parquet", tmp_path / "m.parquet", "-o", tmp_path / "m.parquet")
    assert "the same picture existed under this name" in again.err and "1 replaced" in again.out
