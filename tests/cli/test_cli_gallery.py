"""``facepipe gallery`` on one face in many places."""

import importlib
import shutil

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.detection import preset
from facepipe.embedding import load_embeddings
from facepipe.images import write_rgb


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut):
    """Ada twice, Bo once, in folders; Cy as a single image; a picture without a face, and one with two."""
    root = tmp_path_factory.mktemp("people")
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    write_rgb(root / "Ada" / "1.png", face)
    write_rgb(root / "Ada" / "more" / "2.png", np.roll(face, 9, 1))
    write_rgb(root / "Ada" / "wall.png", np.full((90, 90, 3), 120, np.uint8))
    write_rgb(root / "Bo" / "1.png", np.concatenate([face, cv2.resize(face, (110, 150))], 1))
    write_rgb(root / "Cy.jpg", np.rot90(face).transpose(1, 0, 2)[:, ::-1])
    (root / "Bo" / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="module")
def gallery(people, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("galleries") / "g.parquet"
    ended = run("gallery", "build", people, path, "-m", model, "--json")
    return path, ended.json


def test_build(gallery):
    path, account = gallery
    assert account["people"] == {"Ada": 2, "Bo": 1, "Cy": 1} and account["images"] == 4
    assert account["model"].startswith("tiny@") and account["flip"] == "concat"
    assert load_embeddings(path).paths == ("Ada/1.png", "Ada/more_2.png", "Bo/1.png", "Cy/Cy.jpg")
    remarks = {(remark["kind"], remark["path"]): remark["text"] for remark in account["remarks"]}
    assert remarks["no_face", "Ada/wall.png"] == "no face found"
    assert remarks["several_faces", "Bo/1.png"] == "2 faces; the largest one was used"
    assert any(kind == "duplicate" for kind, _ in remarks), "one face in all of them"


def test_an_image_that_cannot_be_read_is_not_said_to_lack_a_face(people, model, tmp_path):
    shutil.copytree(people / "Ada", tmp_path / "people" / "Ada")
    (tmp_path / "people" / "Ada" / "cut.png").write_bytes((people / "Ada" / "1.png").read_bytes()[:999])
    ended = run("gallery", "build", tmp_path / "people", tmp_path / "g.parquet", "-m", model)
    assert "cut.png: damaged or truncated" in ended.err
    assert "to check: 2 images without a usable face" in ended.out


def test_list(gallery):
    path, account = gallery
    listed = run("gallery", "list", path, "--json").json
    assert listed == {key: value for key, value in account.items() if key not in ("remarks", "passed_over")}
    shown = run("gallery", "list", path).out
    assert "Ada" in shown and "3 people, 4 images, embedded by tiny@" in shown


def test_build_does_not_overwrite_unless_told(gallery, people, model, tmp_path):
    path, _ = gallery
    told = refused("gallery", "build", people, path, "-m", model)
    assert told.startswith(f"{path}: already exists; add to it with 'facepipe gallery add'")
    copy = tmp_path / "g.parquet"
    copy.write_bytes(path.read_bytes())
    ended = run("gallery", "build", people / "Cy.jpg", copy, "-m", model, "--overwrite")
    assert ended.code == 0 and ended.out.startswith(f"{copy}: 1 person, 1 image, embedded by tiny@")


def test_add_remove_merge(gallery, people, model, tmp_path):
    path, _ = gallery
    copy = tmp_path / "g.parquet"
    copy.write_bytes(path.read_bytes())
    added = run("gallery", "add", copy, people / "Cy.jpg", "--name", "Di", "-m", model, "--json").json
    assert added["people"] == {"Ada": 2, "Bo": 1, "Cy": 1, "Di": 1}
    assert {remark["path"] for remark in added["remarks"]} == {"Di/Cy.jpg"}
    removed = run("gallery", "remove", copy, "Ada", "Bo/1.png", "--json").json
    assert removed["people"] == {"Cy": 1, "Di": 1} and b"Ada" not in copy.read_bytes()
    assert "Ada: no such person or image" in refused("gallery", "remove", copy, "Ada")
    merged = run("gallery", "merge", copy, path, "-o", tmp_path / "all.parquet", "--json").json
    assert merged["people"] == {"Ada": 2, "Bo": 1, "Cy": 1, "Di": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "g.parquet"]


def test_another_model_is_refused(gallery, people, model, tmp_path):
    path, _ = gallery
    told = refused("gallery", "add", path, people / "Cy.jpg", "-m", model, "--flip", "sum")
    assert told.startswith(f"{path}: made by tiny@") and "(flip concat), which is not comparable" in told
    # A model that is no shipped one must be named.
    told = refused("gallery", "add", path, people / "Cy.jpg")
    assert told.startswith(f"{path}: made by tiny@") and "give it with --model" in told


def test_an_image_under_a_wrong_name(people, model, tmp_path, monkeypatch):
    """It is told of from the score on at which 'facepipe identify' would give it the other name."""
    # One face everywhere: do not call it a duplicate. The module has the name of its function.
    monkeypatch.setattr(importlib.import_module("facepipe.identification.enrol"), "SAME_PICTURE", 2.0)
    remarks = run("gallery", "build", people, tmp_path / "g.parquet", "-m", model, "--json").json["remarks"]
    assert all("of another person" in remark["text"] for remark in remarks if remark["kind"] == "resembles")
    assert {remark["path"] for remark in remarks if remark["kind"] == "resembles"} >= {"Cy/Cy.jpg"}


def test_no_face_at_all(model, tmp_path):
    write_rgb(tmp_path / "in" / "Ada" / "wall.png", np.full((90, 90, 3), 120, np.uint8))
    told = refused("gallery", "build", tmp_path / "in", tmp_path / "g.parquet", "-m", model)
    assert "no face in any of its images; it must contain a folder of photos per person" in told
    assert not (tmp_path / "g.parquet").exists()
    assert "no such file or folder" in refused("gallery", "build", tmp_path / "x", tmp_path / "g.parquet", "-m", model)


def test_precision(gallery, people, model, tmp_path, monkeypatch):
    """float32 whatever the hardware; what is added or identified follows the gallery; another one is told."""
    monkeypatch.setattr("facepipe.devices.is_faster_in_bfloat16", lambda device: True)
    path, account = gallery
    assert account["precision"] == "float32"
    copy = tmp_path / "g.parquet"
    built = run("gallery", "build", people / "Cy.jpg", copy, "-m", model, "--json").json
    assert built["precision"] == "float32" and not built["remarks"]
    half = tmp_path / "half.parquet"
    run("gallery", "build", people / "Cy.jpg", half, "-m", model, "--precision", "bfloat16")
    added = run("gallery", "add", half, people / "Cy.jpg", "--name", "Di", "-m", model, "--json")
    assert added.json["precision"] == "bfloat16" and "mixed" not in added.err
    told = run("gallery", "add", half, people / "Cy.jpg", "--name", "Ed", "-m", model, "--precision", "float32")
    assert told.err.count("embeddings in bfloat16 and float32 are mixed") == 2
    merged = run("gallery", "merge", half, path, "-o", tmp_path / "all.parquet", "--json").json
    assert merged["precision"] == "bfloat16+float32"
    assert [remark["kind"] for remark in merged["remarks"]] == ["replaced", "mixed_precision"]


def test_how_faces_were_found(gallery, people, model, yunet_weights, tmp_path):
    """Every setting of the detector is recorded; two detectors in one gallery are told, settings of one are not."""
    run("models", "import", "yunet", yunet_weights)
    path, account = gallery
    assert account["findings"] == [preset(turns=True).to_dict() | {"faces": "largest"}]
    words = people / "Cy.jpg", "-m", model, "--json"
    smaller = run("gallery", "build", words[0], tmp_path / "small.parquet", *words[1:], "--min-face", "24").json
    assert [found["min_face"] for found in smaller["findings"]] == [24]
    other = run("gallery", "add", tmp_path / "small.parquet", *words, "--name", "Di", "--detector", "yunet")
    assert [found["detector"] for found in other.json["findings"]] == ["mtcnn", "yunet"]
    assert [remark["kind"] for remark in other.json["remarks"] if "mixed" in remark["kind"]] == ["mixed_detectors"]
    assert "small.parquet: faces found by mtcnn and yunet are mixed" in other.err
    merged = run("gallery", "merge", tmp_path / "small.parquet", path, "-o", tmp_path / "all.parquet", "--json").json
    assert len(merged["findings"]) == 3
    told = run("identify", people / "Cy.jpg", path, "-m", model, "--detector", "yunet", "--threshold", "0.9")
    assert f"{path}: faces found by mtcnn and yunet are mixed" in told.err
    assert "mixed" not in run("identify", people / "Cy.jpg", path, "-m", model, "--threshold", "0.9").err


@pytest.mark.parametrize("name", ["AC/DC", "Ada", "a/b/c", "..", "/", "x\\y", "100 %/Ann [mum]"])
def test_a_name_is_kept_as_it_is_given(gallery, people, model, tmp_path, name):
    """Only folders' names are read off a path; this one is a label."""
    copy = tmp_path / "g.parquet"
    copy.write_bytes(gallery[0].read_bytes())
    photo = people / "Cy.jpg"
    added = run("gallery", "add", copy, photo, "--name", name, "-m", model, "--json").json
    assert added["people"] == {"Ada": 2, "Bo": 1, "Cy": 1} | {name: 3 if name == "Ada" else 1}
    assert run("gallery", "list", copy, "--json").json["people"] == added["people"]
    assert name in run("gallery", "list", copy).out
    alone = tmp_path / "alone.parquet"
    alone.write_bytes(copy.read_bytes())
    for other in ("Bo", "Cy", *({"Ada"} - {name})):
        assert run("gallery", "remove", alone, other).code == 0
    found = run("identify", photo, alone, "-m", model, "--threshold", -1, "--json").lines[0]
    assert found["name"] == name
    merged = run("gallery", "merge", alone, gallery[0], "-o", tmp_path / "both.parquet", "--json").json
    assert merged["people"] == added["people"]
    assert run("gallery", "remove", copy, name, "--json").json["people"].keys() == {"Ada", "Bo", "Cy"} - {name}


def test_a_picture_in_the_place_of_a_gallery(tmp_path):
    write_rgb(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
    told = refused("gallery", "list", tmp_path / "a.png")
    assert "an image, not a gallery; create one from a folder per person with 'facepipe gallery build" in told
