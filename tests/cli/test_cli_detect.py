"""``facepipe detect`` and ``facepipe align``."""

import random

import cv2
import numpy as np
import pytest
from cli_run import refused, run
from image_bytes import png
from PIL import Image

from facepipe.detection import create_detector
from facepipe.images import encode_rgb, read_rgb, write_rgb


def shrunk(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    """A face, two faces of two sizes, no face, no image."""
    root = tmp_path_factory.mktemp("photos") / "von Zoë"
    face = shrunk(astronaut, 128)
    small = np.zeros((200, 128, 3), np.uint8)
    small[:128] = face
    write_rgb(root / "one.png", face)
    write_rgb(root / "sub" / "two.jpg", np.concatenate([shrunk(astronaut, 200), small], axis=1))
    write_rgb(root / "nobody.png", np.full((60, 90, 3), 200, np.uint8))
    (root / "text.jpg").write_text("no image at all")
    return root


def test_json_lines(photos):
    ended = run("detect", photos, "--json")
    assert ended.code == 0
    assert ended.err == "1 of 4 images could not be read\n"
    nobody, one, text, two = ended.lines
    assert [line["path"] for line in (nobody, one, text, two)] == [
        str(photos / name) for name in ("nobody.png", "one.png", "text.jpg", "sub/two.jpg")
    ]
    assert nobody.pop("engine") in ("torch", "onnx")
    assert nobody == {"path": str(photos / "nobody.png"), "search": "plain", "faces": [], "remarks": []}
    assert set(text) == {"path", "error"} and "not an image" in text["error"]
    assert len(one["faces"]) == 1 and len(two["faces"]) == 2
    (found,) = create_detector(device="cpu")([read_rgb(photos / "one.png")])
    (face,) = one["faces"]
    assert set(face) == {"box", "score", "landmarks"}
    np.testing.assert_allclose(face["box"], found.boxes[0], atol=1e-3)
    np.testing.assert_allclose(face["landmarks"], found.landmarks[0], atol=1e-3)
    assert face["score"] == pytest.approx(float(found.scores[0]), abs=1e-5)
    scores = [face["score"] for face in two["faces"]]
    assert scores == sorted(scores, reverse=True)


def test_for_people(photos):
    ended = run("detect", photos / "one.png", photos / "text.jpg", "--preset", "fast")
    first, face = ended.out.splitlines()
    assert first == f"{photos / 'one.png'}: 1 face"
    assert face.startswith("  score 0.9") and "box" in face
    assert str(photos / "text.jpg") in ended.err and "not an image" in ended.err


def test_options_reach_the_detector(photos):
    assert run("detect", photos / "one.png", "--min-face", 100, "--json").lines[0]["faces"] == []
    strict = run("detect", photos / "sub", "--thresholds", 0.6, 0.7, 0.999999, "--json").lines[0]["faces"]
    assert len(strict) < 2


def test_nothing_readable_is_exit_2(photos, tmp_path):
    ended = run("detect", photos / "text.jpg", "--json")
    assert ended.code == 2 and len(ended.lines) == 1
    assert refused("detect", photos / "missing.jpg", "--json").endswith("no such file or folder; check the path")
    (tmp_path / "notes.txt").write_text("x")
    assert "contains no images" in refused("detect", tmp_path)


def test_a_missing_path_is_refused_before_the_others_are_read(photos):
    assert "no such file" in refused("detect", photos / "one.png", photos / "missing.jpg", "--json")


def test_long_names_stay_on_one_line(tmp_path):
    folder = tmp_path / " ".join(["a long name"] * 12)
    folder.mkdir()
    for name in ("[red]a.jpg", "b.jpg"):
        (folder / name).write_text("no image")
    ended = run("detect", folder)
    assert len(ended.err.splitlines()) == 3
    # Square brackets are no colours here.
    assert str(folder / "[red]a.jpg") in ended.err


def test_save_draws_the_faces(photos, tmp_path):
    assert run("detect", photos, "--save", tmp_path / "drawn").code == 0
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == 3
    one = next(path for path in drawn if "one" in path.name)
    before, after = read_rgb(photos / "one.png"), read_rgb(one)
    assert after.shape == before.shape and np.abs(after.astype(int) - before).max() > 100


def test_save_keeps_pictures_of_like_names_apart(tmp_path, astronaut):
    for name in ("a.png", "a.jpg"):
        write_rgb(tmp_path / "in" / name, shrunk(astronaut, 128))
    assert run("detect", tmp_path / "in", "--save", tmp_path / "out").code == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def damage(data, kind, chance):
    """Copies of a file as bad disks, bad networks and bad people make them."""
    if kind == "truncated":
        return data[: chance.randrange(1, len(data) - 1)]
    if kind == "zeros":
        start = chance.randrange(len(data))
        return data[:start] + bytes(len(data) - start)
    if kind == "flipped":
        flipped = bytearray(data)
        for _ in range(20):
            flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(flipped)
    return {"empty": b"", "text": b"<html>404</html>", "shuffled": bytes(chance.sample(data, len(data)))}[kind]


def test_sixty_damaged_files_are_listed_with_reasons(tmp_path, astronaut):
    chance = random.Random(0)
    originals = {suffix: encode_rgb(shrunk(astronaut, 120), suffix) for suffix in (".jpg", ".png")}
    kinds = ["truncated"] * 10 + ["zeros"] * 5 + ["flipped"] * 10 + ["empty", "text", "shuffled", "text"]
    for suffix, data in originals.items():
        for number, kind in enumerate(kinds):
            (tmp_path / f"{kind}-{number}{suffix}").write_bytes(damage(data, kind, chance))
        (tmp_path / f"bomb{suffix}").write_bytes(png(30_000, 30_000, 8, 2))
    write_rgb(tmp_path / "zz-good.png", shrunk(astronaut, 120))
    ended = run("detect", tmp_path, "--json")
    assert ended.code == 0
    answers = {line["path"].removeprefix(f"{tmp_path}/"): line for line in ended.lines}
    assert len(answers) == 61 and len(answers["zz-good.png"]["faces"]) == 1
    certain = ("truncated", "empty", "text", "shuffled", "bomb")
    for name, answer in answers.items():
        assert ("faces" in answer) != ("error" in answer)
        if name.startswith(certain):
            reason = answer["error"]
            assert reason and "\n" not in reason and str(tmp_path) not in reason
    assert "pixels" in answers["bomb.png"]["error"] and "limit" in answers["bomb.png"]["error"]
    failed = sum("error" in answer for answer in answers.values())
    said = ended.err.splitlines()
    assert said[-1] == f"{failed} of 61 images could not be read" and failed >= 30
    assert "damaged inside" in said[0]


def test_align_a_folder(photos, tmp_path):
    ended = run("align", photos, "-o", tmp_path, "--faces", "all", "--json")
    assert ended.code == 0
    nobody, one, text, two = ended.lines
    assert (nobody["status"], nobody["reason"], nobody["crops"]) == ("no_face", "no face found", [])
    assert text["status"] == "error" and "not an image" in text["reason"]
    crops = [str(tmp_path / "one.png")]
    assert one.pop("engine") in ("torch", "onnx")
    assert one == {"path": str(photos / "one.png"), "crops": crops, "status": "ok", "reason": "", "remarks": []}
    assert two["crops"] == [str(tmp_path / "sub" / name) for name in ("two.png", "two_1.png")]
    for path in (*one["crops"], *two["crops"]):
        assert read_rgb(path).shape == (112, 112, 3)


def test_align_one_image(photos, tmp_path):
    ended = run("align", photos / "sub" / "two.jpg", "-o", tmp_path, "--template", "112x96", "--format", "jpg")
    assert (ended.code, ended.out, ended.err) == (0, f"{tmp_path / 'two.jpg'}\n", "")
    with Image.open(tmp_path / "two.jpg") as crop:
        assert (crop.format, crop.size) == ("JPEG", (96, 112))


def test_align_keeps_crops_apart(tmp_path, astronaut):
    face = shrunk(astronaut, 128)
    for name in ("a.jpg", "a.png", "b.png"):
        write_rgb(tmp_path / "raw" / name, face)
    write_rgb(tmp_path / "other" / "b.png", face)
    words = ["align", tmp_path / "raw", tmp_path / "other", "-o", tmp_path / "out", "--json"]
    crops = [crop for line in run(*words).lines for crop in line["crops"]]
    assert len(set(crops)) == 4 == len(list((tmp_path / "out").iterdir()))
    assert "already exists" in refused(*words)
    assert [crop for line in run(*words, "--overwrite").lines for crop in line["crops"]] == crops


def test_align_never_replaces_an_image(tmp_path, astronaut):
    path = tmp_path / "a.png"
    write_rgb(path, shrunk(astronaut, 128))
    before = path.read_bytes()
    assert "would replace the input" in refused("align", path, "-o", tmp_path)
    assert "is also read as input" in refused("align", tmp_path, "-o", tmp_path / "." / "")
    assert path.read_bytes() == before
    assert run("align", path, "-o", tmp_path, "--format", "jpg").code == 0


def test_align_without_any_face(photos, tmp_path):
    ended = run("align", photos / "nobody.png", "-o", tmp_path / "out")
    assert ended.code == 2 and ended.err.splitlines() == [
        f"{photos / 'nobody.png'}: no face found",
        f"facepipe: {photos / 'nobody.png'}: no face in 1 image; nothing was written",
    ]
    assert not (tmp_path / "out").exists()
