"""``facepipe identify`` on photos and small videos of one face."""

import json
import os
import signal
import threading

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from moving_squares import write_video

from facepipe.identification.video import Video
from facepipe.images import read_rgb, write_rgb

FIELDS = {
    "source", "frame", "time", "track", "box", "landmarks", "detection_score", "search", "name", "score", "nearest",
    "runner_up", "runner_up_score", "confidence", "confidence_kind",
    "model", "engine", "precision", "findings",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def face(astronaut):
    return cv2.resize(astronaut[:300, 80:380], (120, 120), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, face, model):
    root = tmp_path_factory.mktemp("gallery")
    write_rgb(root / "people" / "Ada.png", face)
    assert run("gallery", "build", root / "people", root / "g.parquet", "-m", model).code == 0
    return root / "g.parquet"


@pytest.fixture(scope="module")
def media(tmp_path_factory, face):
    root = tmp_path_factory.mktemp("media")
    write_rgb(root / "photos" / "a.png", face)
    write_rgb(root / "photos" / "deep" / "b.png", np.concatenate([face, face], 1))
    write_rgb(root / "photos" / "wall.png", np.full((90, 90, 3), 120, np.uint8))
    (root / "photos" / "text.jpg").write_text("no image")
    frames = [np.roll(face, 3 * number, 1) for number in range(8)]
    write_video(root / "film.mp4", frames)
    return root


def test_photos_as_json_lines(gallery, media, model, tmp_path):
    ended = run(
        "identify", media / "photos", gallery, "-m", model, "--threshold", 0.9, "--json", "--save", tmp_path / "out",
        "--summary", tmp_path / "s.json",
    )  # fmt: skip
    assert ended.code == 0
    by_source = {}
    for line in ended.lines:
        by_source.setdefault(line["source"], []).append(line)
    one = by_source[str(media / "photos" / "a.png")]
    assert len(one) == 1 and set(one[0]) == FIELDS
    assert (one[0]["name"], one[0]["nearest"], one[0]["track"], one[0]["runner_up"]) == ("Ada", "Ada", None, None)
    assert one[0]["score"] == pytest.approx(1, abs=1e-3) and len(one[0]["landmarks"]) == 5
    assert len(by_source[str(media / "photos" / "deep" / "b.png")]) == 2
    assert "not an image" in by_source[str(media / "photos" / "text.jpg")][0]["error"]
    assert str(media / "photos" / "wall.png") not in by_source
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jpg")) == [
        "a.jpg", "deep/b.jpg", "wall.jpg"
    ]  # fmt: skip
    assert (np.abs(read_rgb(tmp_path / "out" / "a.jpg").astype(int) - read_rgb(media / "photos" / "a.png")) > 60).any()
    summary = json.loads((tmp_path / "s.json").read_text())
    assert (summary["photos"], summary["unreadable"], summary["without_faces"]) == (4, 1, 1)
    assert summary["people"]["Ada"]["faces"] == 3
    assert "names from a score of 0.900, as set" in ended.err and "1 of 4 photos could not be read" in ended.err


def test_photo_for_people(gallery, media, model, tmp_path):
    ended = run("identify", media / "photos" / "a.png", gallery, "-m", model, "--save", tmp_path / "a.png")
    assert ended.code == 0 and ended.out.startswith(f"{media / 'photos' / 'a.png'}: Ada 1.00")
    assert "FPIR 0.01 over 1 person is FAR 0.01" in ended.err
    assert read_rgb(tmp_path / "a.png").shape == (120, 120, 3)
    strangers = run("identify", media / "photos" / "a.png", gallery, "-m", model, "--threshold", 1.1)
    assert strangers.out == f"{media / 'photos' / 'a.png'}: unknown 1.00\n"


def test_video(gallery, media, model, tmp_path):
    ended = run(
        "identify", media / "film.mp4", gallery, "-m", model, "--threshold", 0.9, "--json", "--every", 2,
        "--save", tmp_path / "film.mp4", "--summary", tmp_path / "s.json", "--no-sound",
    )  # fmt: skip
    assert ended.code == 0 and f"copy: {tmp_path / 'film.mp4'}" in ended.err
    assert [line["frame"] for line in ended.lines] == [0, 2, 4, 6]
    assert {line["name"] for line in ended.lines} == {"Ada"} and {line["track"] for line in ended.lines} == {1}
    assert [line["time"] for line in ended.lines] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert len(list(Video(str(tmp_path / "film.mp4")).frames())) == 8
    person = json.loads((tmp_path / "s.json").read_text())["people"]["Ada"]
    assert (person["tracks"], person["faces"]) == (1, 4) and person["seconds"] == pytest.approx(0.8, abs=0.01)


def test_video_for_people(gallery, media, model, tmp_path):
    ended = run("identify", media / "film.mp4", gallery, "-m", model, "--seconds", 0.35, "--save", tmp_path)
    assert ended.code == 0 and "Ada" in ended.out and "4 frames, 0.4 s" in ended.out
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_ctrl_c_leaves_a_playable_copy(gallery, face, model, tmp_path):
    """The signal comes while the video runs; the command ends by itself, with what it read."""
    write_video(tmp_path / "long.mp4", [np.roll(face, 3 * number, 1) for number in range(300)])
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    ended = run("identify", tmp_path / "long.mp4", gallery, "-m", model, "--save", tmp_path / "copy.mp4")
    assert ended.code == 0 and "stopped early, after" in ended.err
    frames = len(list(Video(str(tmp_path / "copy.mp4")).frames()))
    assert 0 < frames < 300 and f"{frames} frames" in ended.out


def test_what_of_a_video_could_not_be_read_is_told(gallery, face, model, tmp_path):
    """In words, in JSON Lines, in the summary, and by the exit code where all was asked for."""
    film = write_video(tmp_path / "a.mp4", [np.roll(face, 3 * number, 1) for number in range(40)])
    data = bytearray(film.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    film.write_bytes(data)
    words = ["identify", film.as_uri(), gallery, "-m", model, "--every", 4, "--threshold", 0.9]
    ended = run(*words, "--json", "--summary", tmp_path / "s.json")
    lost = ended.lines[-1]
    account = json.loads((tmp_path / "s.json").read_text())
    assert lost["undecodable"] == 40 - account["frames"] > 0 and lost["dropped"] == 0 and len(lost["gaps"]) == 1
    assert (account["undecodable"], account["gaps"]) == (lost["undecodable"], lost["gaps"])
    assert account["seconds"] == pytest.approx(4.0)
    assert f"{lost['undecodable']} of 40 frames could not be decoded: 0:0" in ended.err
    assert (ended.code, run(*words, "--strict").code) == (0, 1)


def test_frames_to_go(gallery, media, model, monkeypatch):
    from contextlib import contextmanager

    totals = []

    @contextmanager
    def progress(_, total):
        totals.append(total)
        yield lambda _: None

    monkeypatch.setattr("facepipe.cli.commands.identify.video.progress", progress)
    run("identify", media / "film.mp4", gallery, "-m", model, "--seconds", 0.35)
    run("identify", media / "film.mp4", gallery, "-m", model, "--seconds", 35)
    assert totals == [4, 8]


@pytest.mark.parametrize("name", ["a.CR2", "a.dng", "a.jxl", "a.psd"])
def test_no_foreign_photo_is_played_as_a_video(gallery, model, tmp_path, name):
    (tmp_path / name).write_bytes(bytes(99))
    ended = run("identify", tmp_path / name, gallery, "-m", model)
    assert ended.code == 2 and ("convert it to JPEG" in ended.out or "export it as JPEG" in ended.out)


def test_photos_and_videos_together(gallery, media, model, tmp_path):
    both = [media / "photos" / "a.png", media / "film.mp4"]
    ended = run("identify", *both, gallery, "-m", model, "--every", 4, "--save", tmp_path, "--json")
    assert ended.code == 0 and {line["source"] for line in ended.lines} == set(map(str, both))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "film.mp4"]
    assert "--save must be a folder" in refused("identify", *both, gallery, "-m", model, "--save", tmp_path / "a.mp4")


def test_a_broken_video_among_others(gallery, media, model, tmp_path):
    """The others are read, the copies and the summary written; alone it is refused (below)."""
    (tmp_path / "empty.mp4").touch()
    both = [tmp_path / "empty.mp4", media / "film.mp4"]
    words = ["identify", *both, gallery, "-m", model, "--every", 4, "--json", "--summary", tmp_path / "s.json"]
    ended = run(*words, "--save", tmp_path / "out", "--no-sound")
    assert ended.code == 0 and "empty.mp4: the file is empty (0 bytes)" in ended.err
    assert ended.lines[0]["source"] == str(both[0]) and "is empty" in ended.lines[0]["error"]
    assert {line["source"] for line in ended.lines[1:]} == {str(both[1])}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["film.mp4"]
    accounts = json.loads((tmp_path / "s.json").read_text())
    assert "error" in accounts[0] and accounts[1]["frames"] == 8
    assert run("identify", both[0], both[0], gallery, "-m", model).code == 2


def test_a_threshold_measured_on_strangers(gallery, media, model, tmp_path):
    """The faces of the photos are themselves the strangers: one of three may be named, and all three are equal."""
    assert run("embed", media / "photos", "-o", tmp_path / "s.parquet", "-m", model, "--faces", "all").code == 0
    words = ["identify", media / "photos" / "a.png", gallery, "-m", model, "--strangers", tmp_path / "s.parquet"]
    ended = run(*words, "--fpir", 0.5)
    assert ended.code == 0 and "FPIR 0.5 over 1 person, measured on 3 faces of strangers" in ended.err
    told = refused(*words)
    assert told == f"{tmp_path / 's.parquet'}: 3 faces of strangers: too few for FPIR 0.01; embed 100 or more"


def test_bad_input_is_one_line(gallery, media, model, tmp_path):
    photo = media / "photos" / "a.png"
    assert "no such file or folder; create a gallery" in refused("identify", photo, tmp_path / "g.parquet", "-m", model)
    assert "give it with --model" in refused("identify", photo, gallery)
    told = refused("identify", photo, gallery, "-m", model, "--flip", "none")
    assert "(flip concat), which is not comparable" in told
    assert "must be between 0 and 1" in refused("identify", photo, gallery, "-m", model, "--fpir", 2)
    assert "too few for FAR 1e-06" in refused("identify", photo, gallery, "-m", model, "--fpir", 1e-6)
    words = ["identify", tmp_path / "film.mp4", gallery, "-m", model, "--threshold", 1]
    for content, told in ((None, "no such file"), (b"", "the file is empty"), (b"x" * 999, "OpenCV cannot open")):
        if content is not None:
            (tmp_path / "film.mp4").write_bytes(content)
        ended = run(*words)
        assert ended.code == 2 and told in ended.err.splitlines()[-1]
    ended = run("identify", media / "film.mp4", gallery, "-m", model, "--save", tmp_path / "film.gif")
    assert ended.code == 2 and "unsupported video format" in ended.err
    assert run("identify", media / "photos" / "text.jpg", gallery, "-m", model).code == 2
