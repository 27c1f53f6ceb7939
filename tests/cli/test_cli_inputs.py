"""What commands tell of their inputs: what was skipped, damaged, or of several pages; and ``--strict``."""

import os

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from PIL import Image

from facepipe.images import encode_rgb, write_rgb


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def root(tmp_path_factory, astronaut):
    """Two people; beside them all that a folder of real life holds."""
    root = tmp_path_factory.mktemp("inputs")
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    write_rgb(root / "Ada" / "1.png", face)
    data = bytearray(encode_rgb(face, ".jpg"))
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xaa" * 200
    (root / "Bo").mkdir()
    (root / "Bo" / "1.jpg").write_bytes(data)
    pages = [Image.fromarray(face)] * 3
    pages[0].save(root / "Bo" / "scan.tif", save_all=True, append_images=pages[1:])
    for folder in ("@eaDir", "#recycle", "$RECYCLE.BIN"):
        write_rgb(root / folder / "old" / "t.png", face)
    (root / "Ada" / "clip.mp4").write_bytes(b"film")
    os.mkfifo(root / "Ada" / "pipe.png")
    (root / "Ada" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    (root / "Ada" / "again").symlink_to(root)
    (root / "Bo" / "link.png").symlink_to(root / "Ada" / "1.png")
    return root


PASSED = {"video": 1, "special file": 1, "broken link": 1, "folder reached twice": 1, "system folder": 3}
PASSED_FILES = PASSED | {"file reached twice": 1}


def counts(passed):
    return {reason: entry["count"] for reason, entry in passed.items()}


def test_detect(root):
    ended = run("detect", root, "--json")
    *lines, last = ended.lines
    assert [line["path"].removeprefix(f"{root}/") for line in lines] == ["Ada/1.png", "Bo/1.jpg", "Bo/scan.tif"]
    assert [len(line["remarks"]) for line in lines] == [0, 1, 1]
    assert "damaged inside" in lines[1]["remarks"][0] and lines[2]["remarks"] == ["page 1 of 3 read"]
    assert counts(last["passed_over"]) == PASSED_FILES
    assert "damaged inside" in ended.err and "1 video" in ended.err and ended.code == 0


def test_strict(root, tmp_path):
    ended = run("detect", root, "--json", "--strict")
    assert ended.code == 1 and "damaged inside" in ended.lines[1]["error"]
    write_rgb(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    assert run("detect", tmp_path / "a.png", "--strict").code == 0
    told = refused("compare", root / "Ada" / "1.png", root / "Bo" / "1.jpg", "--strict")
    assert told.startswith(f"{root / 'Bo' / '1.jpg'}: damaged inside")


def test_a_file_given_twice_is_done_once(root, model, tmp_path):
    one = root / "Ada" / "1.png"
    out = tmp_path / "e.parquet"
    ended = run("embed", one, root / "Bo", root, one, "-o", out, "-m", model, "--json")
    assert ended.json["embedded"] == 3 and ended.json["passed_over"]["file reached twice"]["count"] == 3
    assert set(ended.json["remarks"]) == {str(root / "Bo" / "1.jpg"), str(root / "Bo" / "scan.tif")}
    assert len(run("align", one, one, root, "-o", tmp_path / "crops").out.splitlines()) == 3


def test_gallery(root, model, tmp_path):
    path = tmp_path / "g.parquet"
    ended = run("gallery", "build", root, path, "-m", model, "--json")
    assert ended.json["people"] == {"Ada": 1, "Bo": 2} and counts(ended.json["passed_over"]) == PASSED_FILES
    assert {remark["kind"] for remark in ended.json["remarks"]} >= {"damaged", "picture"}
    assert run("gallery", "build", root, tmp_path / "s.parquet", "-m", model, "--json", "--strict").code == 1


def test_identify(root, model, tmp_path):
    path = tmp_path / "g.parquet"
    run("gallery", "build", root / "Ada", path, "-m", model)
    words = ["identify", root, path, "-m", model, "--threshold", 0.5]
    ended = run(*words, "--json", "--summary", tmp_path / "s.json")
    assert counts(ended.lines[-1]["passed_over"]) == PASSED_FILES and "1 video" in ended.err
    assert run(*words, "--strict").code == 1


def test_only_a_video(tmp_path):
    (tmp_path / "a.mov").write_bytes(b"film")
    assert "contains no images (skipped: 1 video" in refused("detect", tmp_path)


def test_compare_tells_of_damage(root, model):
    words = ["compare", root / "Ada" / "1.png", root / "Bo" / "1.jpg", "-m", model, "--threshold", 0.5]
    ended = run(*words, "--json")
    assert "damaged inside" in ended.json["images"][1]["remarks"][0] and "damaged inside" in ended.err


def test_names_cannot_speak_to_the_terminal(tmp_path):
    name = "a\x1b[31m\u202eb.png"
    write_rgb(tmp_path / name, np.zeros((40, 40, 3), np.uint8))
    ended = run("detect", tmp_path)
    assert "a\\x1b[31m\\u202eb.png: 0 faces" in ended.out and "\x1b" not in ended.out + ended.err
