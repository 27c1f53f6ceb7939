"""``facepipe embed --sheet``: which faces are on it, in which order, and what is told when there is no order."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.cli.commands.embed.sheet import Sheet
from facepipe.embedding import Embeddings, load_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.images import read_rgb, write_rgb
from facepipe.report.face_sheet import contact_sheet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "sure", "compact")


@pytest.fixture(scope="module")
def crops(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("crops")
    face = cv2.resize(astronaut[60:220, 150:290], (96, 112), interpolation=cv2.INTER_AREA)
    for number, blur in enumerate((0, 3, 1)):
        write_rgb(root / f"{number}.png", cv2.GaussianBlur(face, (0, 0), blur) if blur else face)
    return root


def test_faces_stand_from_the_least_sure_to_the_surest(crops, model, tmp_path):
    sheet, file = tmp_path / "sheet.png", tmp_path / "e.parquet"
    ended = run("embed", crops, "--already-aligned", "-m", model, "-o", file, "--sheet", sheet, "--sort", "kappa")
    assert ended.code == 0 and f"{sheet}: 3 of 3 faces, by kappa" in ended.err
    embeddings = load_embeddings(file)
    assert len(set(embeddings.kappa.tolist())) == 3
    picture = read_rgb(sheet)
    expected = [read_rgb(embeddings.paths[row]) for row in np.argsort(embeddings.kappa)]
    places = [where(picture, crop) for crop in expected]
    assert places == sorted(places) and len({top for _, top in places}) == 1


def where(picture, crop):
    """(left, top) of the exact crop in a picture."""
    found = cv2.matchTemplate(picture, crop, cv2.TM_SQDIFF)
    least, _, place, _ = cv2.minMaxLoc(found)
    assert least < 0.01 * crop.size, "the crop is not on the sheet"
    return place


def test_without_a_file_of_embeddings_and_without_a_word_on_order(crops, model, tmp_path):
    ended = run("embed", crops, "--already-aligned", "-m", model, "--sheet", tmp_path / "s.png", "--json")
    assert ended.json["embedded"] == 3 and "out" not in ended.json and "by kappa" in ended.err
    ended = run("embed", crops, "--already-aligned", "-m", model, "--sheet", tmp_path / "n.jpg", "--sort", "norm")
    assert ended.code == 0 and "by norm" in ended.err and (tmp_path / "n.jpg").is_file()


def test_what_cannot_be_sorted(crops, model, tmp_path):
    plain = tiny_model(tmp_path / "plain")
    words = ["embed", crops, "--already-aligned", "--sheet", tmp_path / "s.png"]
    assert "have no sigma2; embed with" in refused(*words, "-m", plain)
    assert "have no sigma2" in refused(*words, "-m", model, "--sort", "sigma2")
    assert "Missing option '-o'" in run("embed", crops, "-m", model).err
    assert "--sort applies only to --sheet" in run("embed", crops, "-o", "e.parquet", "--sort", "kappa").err
    assert not (tmp_path / "s.png").exists()


def test_the_second_face_of_an_image_is_found_again(tmp_path):
    """And a file whose own name ends like the name of a second face."""
    images = {"a.png": (1, 2), "b#1.png": (3,), "b#1": (4,)}
    for name in images:
        write_rgb(tmp_path / (name if name.endswith("png") else "x.png"), np.full((4, 4, 3), 9, np.uint8))
    (tmp_path / "x.png").rename(tmp_path / "b#1")

    def cropper(batch):
        name = batch[0].path.name
        faces = tuple(np.full((6, 5, 3), 50 * value, np.uint8) for value in images[name])
        return [type("Cropped", (), {"crops": faces, "reason": ""})]

    names = [str(tmp_path / name) for name in ("a.png", "a.png#1", "b#1.png", "b#1")]
    sheet = Sheet(tmp_path / "sheet.png", "norm", cropper)
    sheet.add(Embeddings(np.diag([2.0, 1, 4, 3]).astype(np.float32), "m@1", paths=tuple(names)))
    assert sheet.draw() == 4
    row = read_rgb(tmp_path / "sheet.png")[28]
    shown = [value for value in row[:, 0].tolist() if value in (50, 100, 150, 200)]
    assert shown == [100] * 5 + [50] * 5 + [200] * 5 + [150] * 5
    images["a.png"] = ()
    with pytest.raises(EmbeddingsError, match=r"a\.png: changed during embedding"):
        sheet.draw()


def test_rows_of_a_sheet():
    faces = [np.full((10, 8, 3), value, np.uint8) for value in range(5)]
    two = contact_sheet(faces, [1, 2, 3, 4, 5], "kappa", per_row=3)
    one = contact_sheet(faces, [1, 2, 3, 4, 5], "kappa", per_row=5)
    assert two.dtype == np.uint8 and two.shape[0] > 1.8 * one.shape[0] and two.shape[1] < one.shape[1]
