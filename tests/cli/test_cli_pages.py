"""Pages of a scan, frames of an animation and pictures of an MPO: the first is read and the others told, or all are."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from PIL import Image

from facepipe.embedding import load_embeddings
from facepipe.images import read_rgb, write_rgb

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(astronaut):
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    return [np.roll(face, 9 * number, 1) for number in range(3)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


FORMS = {"scan.tif": {}, "moving.gif": {}, "moving.webp": {"lossless": True}, "moving.png": {}, "pair.mpo": {}}


@pytest.fixture(scope="module")
def root(tmp_path_factory, faces):
    root = tmp_path_factory.mktemp("pages")
    for name, options in FORMS.items():
        first, *others = map(Image.fromarray, faces)
        first.save(root / name, save_all=True, append_images=others, **options)
    write_rgb(root / "plain.png", faces[0])
    return root


@pytest.mark.parametrize("name", FORMS)
def test_each_page_is_an_image(root, faces, name):
    for number, face in enumerate(faces):
        told = read_rgb(root / (f"{name}@{number + 1}" if number else name))
        assert np.abs(told.astype(int) - face).mean() < (20 if name.endswith((".gif", ".mpo")) else 1)
    assert "there is no page or frame 4, only 3" in run("detect", root / f"{name}@4").err


def test_detect(root):
    ended = run("detect", root, "--json")
    assert len(ended.lines) == 6 and "with several pages or frames, of which one was read" in ended.err
    assert run("detect", root, "--strict").code == 1
    all_of_them = run("detect", root, "--json", "--pages", "all", "--strict")
    names = [line["path"].removeprefix(f"{root}/") for line in all_of_them.lines]
    assert len(names) == 16 and {"scan.tif", "scan.tif@2", "scan.tif@3", "plain.png"} <= set(names)
    assert all_of_them.code == 0 and "page" not in all_of_them.err
    assert all(len(line["faces"]) == 1 for line in all_of_them.lines)


def test_preprocess(root, faces, tmp_path):
    """Crops of all pages; when the job is run again nothing is left, and a changed file is done again, page by page."""
    raw = tmp_path / "raw" / "ada"
    raw.mkdir(parents=True)
    for name in ("scan.tif", "plain.png"):
        (raw / name).write_bytes((root / name).read_bytes())
    words = ["preprocess", raw.parent, tmp_path / "out", "--already-aligned", "--format", "png", "--json"]
    told = run(*words, "--pages", "all", "--strict").json
    assert told["crops"] == 4 and "page" not in str(list(told["remarks"].values()))
    crops = {path.name for path in (tmp_path / "out" / "ada").iterdir()}
    assert crops == {"plain.png", "scan.tif.png", "scan.tif@2.png", "scan.tif@3.png"}
    first, second = (read_rgb(tmp_path / "out" / "ada" / f"scan.tif{n}.png").astype(int) for n in ("", "@2"))
    assert np.abs(first - second).mean() > 5
    again = run(*words, "--pages", "all", "--strict").json
    assert set(again["changes"].values()) == {0} and again["crops"] == 4
    write_rgb(raw / "scan.png", faces[0])
    Image.fromarray(faces[1]).save(raw / "scan.tif", save_all=True, append_images=[Image.fromarray(faces[0])])
    assert run(*words, "--pages", "all", "--strict").json["changes"] == {
        "new": 1, "changed": 2, "vanished": 1, "touched": 0,
    }  # fmt: skip
    assert run(*words, "--strict").json["changes"]["vanished"] == 1, "the first pages alone"


def test_galleries(root, model, tmp_path):
    people = tmp_path / "people" / "ada"
    people.mkdir(parents=True)
    (people / "scan.tif").write_bytes((root / "scan.tif").read_bytes())
    build = ["gallery", "build", people.parent, tmp_path / "g.parquet", "-m", model, "--json"]
    assert "page 1 of 3 read" in run(*build).out
    told = run(*build, "--pages", "all", "--overwrite").json
    assert told["images"] == 3 and not [one for one in told["remarks"] if one["kind"] == "picture"]
    assert load_embeddings(tmp_path / "g.parquet").paths == ("ada/scan.tif", "ada/scan.tif@2", "ada/scan.tif@3")
    assert set(run(*build, "--pages", "all", "--update").json["changes"].values()) == {0}
    assert run(*build, "--update").json["changes"]["vanished"] == 2
    add = ["gallery", "add", tmp_path / "g.parquet", root / "moving.png", "--name", "bo", "-m", model, "--json"]
    assert run(*add, "--pages", "all").json["people"] == {"ada": 1, "bo": 3}


def test_other_commands(root, model, tmp_path):
    out = tmp_path / "e.parquet"
    words = ["embed", root / "scan.tif", "-o", out, "-m", model, "--pages", "all", "--json"]
    assert run(*words).json["embedded"] == 3
    assert [path.rpartition("/")[2] for path in load_embeddings(out).paths] == ["scan.tif", "scan.tif@2", "scan.tif@3"]
    assert run(*words).json["changes"] == {"new": 0, "changed": 0, "vanished": 0, "touched": 0}
    run("align", root / "scan.tif", "-o", tmp_path / "crops", "--pages", "all")
    assert len(list((tmp_path / "crops").iterdir())) == 3
    told = run("compare", root / "scan.tif@1", root / "scan.tif@3", "-m", model, "--threshold", 0.5, "--json")
    assert told.code == 0
    sheet = tmp_path / "s.jpg"
    assert run("embed", root / "scan.tif", "--sheet", sheet, "--sort", "norm", "-m", model, "--pages", "all").code == 0


def test_identify(root, model, tmp_path):
    assert run("gallery", "build", root / "plain.png", tmp_path / "g.parquet", "-m", model).code == 0
    words = ["identify", root / "scan.tif", tmp_path / "g.parquet", "-m", model, "--threshold", 0.5, "--json"]
    assert [line["source"].rpartition("/")[2] for line in run(*words, "--pages", "all").lines] == [
        "scan.tif", "scan.tif@2", "scan.tif@3"
    ]  # fmt: skip
    words[1] = root / "scan.tif@2"
    assert len(run(*words).lines) == 1


def test_a_file_of_that_very_name_comes_first(root, tmp_path, faces):
    write_rgb(tmp_path / "a.png", faces[0])
    (tmp_path / "a.png@2").write_bytes((root / "plain.png").read_bytes())
    assert np.array_equal(read_rgb(tmp_path / "a.png@2"), read_rgb(root / "plain.png"))
    assert "no such file" in refused("detect", tmp_path / "b.png@2")
