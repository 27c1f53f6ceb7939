"""Words that help: what was meant, what is missing, what to do next."""

import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.detection import preset
from facepipe.detection.advice import no_face_advice
from facepipe.images import write_rgb

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["compre"], "compare"),
        (["eval", "lfv"], "lfw"),
        (["gallery", "bild"], "build"),
        (["models", "lst"], "list"),
        (["inspect", "angle"], "angles"),
        (["Detect"], "detect"),
    ],
)
def test_a_mistyped_command(words, meant):
    ended = run(*words, "a.jpg")
    assert ended.code == 2 and f"No such command {words[-1]!r}. Did you mean {meant!r}?" in ended.err


def test_nothing_like_it_is_no_guess():
    assert run("xyzzy").err.rstrip().endswith("No such command 'xyzzy'.")


def test_what_is_missing_is_told_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("facepipe.zoo.load", None)
    monkeypatch.setattr("facepipe.detection.create_detector", None)
    write_rgb(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    there, gone = tmp_path / "a.png", tmp_path / "gone.png"
    wanted = f"{gone}: no such file or folder; check the path"
    for words in (
        ["compare", there, gone],
        ["compare", there, there, gone],
        ["embed", there, gone, "-o", tmp_path / "e.parquet"],
        ["align", gone, "-o", tmp_path / "out"],
        ["detect", gone],
        ["gallery", "build", gone, tmp_path / "g.parquet"],
        ["bench", gone],
    ):
        assert refused(*words) == wanted, words
    assert "create it with 'facepipe embed" in refused("cluster", gone)
    assert "create it with 'facepipe embed" in refused("inspect", "angles", gone)


def test_detect_saves_under_the_same_folders(tmp_path):
    for name in ("Ann/1.png", "Bo/1.png", "Bo/deep/1.png", "Bo/1.jpg"):
        write_rgb(tmp_path / "photos" / name, np.zeros((40, 40, 3), np.uint8))
    assert run("detect", tmp_path / "photos", "--save", tmp_path / "out").code == 0
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.jpg"))
    assert made == ["Ann/1.jpg", "Bo/1.jpg", "Bo/1.png.jpg", "Bo/deep/1.jpg"]


def test_advice_where_no_face_was_found():
    plain, small = preset(), preset(min_face=12, turns=True)
    assert no_face_advice(plain, (500, 400), (112, 112)) == (
        "; try turns=True for a photo on its side, or min_face=12 for faces of fewer than 20 pixels"
    )
    assert no_face_advice(small, (500, 400), (112, 112)) == ""
    assert no_face_advice(plain, (500, 400), (112, 112), ("page 1 of 3", "almost black")) == (
        "; the picture is almost black"
    )
    assert no_face_advice(small, (112, 96), (112, 112)) == ""
    assert no_face_advice(small, (112, 112), (112, 112)) == "; try already_aligned=True if this is an aligned crop"


def test_a_picture_that_shows_nothing_is_not_searched_in_vain(model, tmp_path, astronaut):
    write_rgb(tmp_path / "a.png", astronaut)
    write_rgb(tmp_path / "black.png", np.full((120, 160, 3), 2, np.uint8))
    assert run("embed", tmp_path / "a.png", "-o", tmp_path / "e.parquet", "-m", model).code == 0
    for words in (
        ["compare", tmp_path / "a.png", tmp_path / "black.png"],
        ["find", tmp_path / "black.png", tmp_path],
        ["search", tmp_path / "black.png", tmp_path / "e.parquet"],
    ):
        line = refused(*words, "-m", model)
        assert line == f"{tmp_path / 'black.png'}: no face found; the picture is almost black", line


def test_no_hint_leads_from_a_photo_without_a_face_to_an_answer(model, tmp_path):
    """A photo on its side was once offered --already-aligned."""
    for name in ("a.png", "b.png"):
        write_rgb(tmp_path / name, np.full((120, 160, 3), 128, np.uint8))
    words = ["compare", tmp_path / "a.png", tmp_path / "b.png", "-m", model]
    for more in ([], ["--no-turns"], ["--min-face", 12]):
        told = refused(*words, *more)
        assert "no face found" in told and "--already-aligned" not in told
    followed = run(*words, "--already-aligned", "--json")
    assert all("treated as an aligned crop and scaled" in image["remarks"][-1] for image in followed.json["images"])
    assert "2 photos treated as an aligned crop and scaled" in followed.err


def test_many_photos_against_one(model, tmp_path):
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 255, (112, 96, 3), np.uint8) for _ in range(3)]
    files = [tmp_path / f"[{number}].png" for number in range(4)]
    for file, crop in zip(files, [crops[0], crops[1], crops[0], crops[2]], strict=True):
        write_rgb(file, crop)
    (tmp_path / "text.png").write_text("no image")
    words = ["-m", model, "--already-aligned", "--threshold", 0.999]
    ended = run("compare", *files, tmp_path / "text.png", *words)
    lines = ended.out.splitlines()
    assert ended.code == 0 and lines[0] == f"{files[0]} against 3 photos"
    assert lines[2].split()[0] == "1.000" and lines[2].endswith(str(files[2])), "best first"
    assert "1 of 3 pass: cosine from 0.999, as set" in ended.out
    assert "text.png: not an image" in ended.err and "1 photo could not be compared" in ended.err
    told = run("compare", *files, tmp_path / "text.png", *words, "--json", "--strict")
    assert told.code == 1 and [one["path"] for one in told.json["failed"]] == [str(tmp_path / "text.png")]
    alone = [run("compare", files[0], other, *words, "--json").json for other in files[1:]]
    scores = [[one["score"] for one in some] for some in (told.json["comparisons"], alone)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    every = run("compare", *files, *words, "--all-pairs", "--json").json["comparisons"]
    assert [[image["path"] for image in one["images"]] for one in every] == [
        [str(a), str(b)] for number, a in enumerate(files) for b in files[number + 1 :]
    ]
    assert run("compare", *files, *words, "--check").code == 1
    assert run("compare", files[0], files[2], files[2], *words, "--check").code == 0
    assert refused("compare", tmp_path / "text.png", *files, *words).startswith(str(tmp_path / "text.png"))
    assert "give at least two photos" in run("compare", files[0], *words).err
    assert run("compare", *files, *words, "--save", tmp_path / "x.png").code == 0 and (tmp_path / "x.png").is_file()




def test_numbers_in_a_picture_say_what_they_are(monkeypatch, astronaut):
    from PIL import ImageDraw

    from facepipe.detection import Faces
    from facepipe.report.drawing import draw_faces

    written = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda pen, place, text, **more: written.append(text))
    faces = Faces(np.array([[10, 10, 50, 60]], np.float32), np.array([0.998], np.float32), np.zeros((1, 5, 2), "f4"))
    draw_faces(astronaut, faces, [0])
    assert written == ["detection 0.998"]


@pytest.mark.parametrize("words", [["--debug", "compare", "a", "b"], ["compare", "a", "--debug", "b"]])
def test_debug_anywhere_on_the_line(words):
    from facepipe.errors import FacepipeError

    with pytest.raises(FacepipeError, match="no such file"):
        run(*words)
    with pytest.raises(FacepipeError, match="no such file"):
        run("compare", "a", "b", "--debug")
