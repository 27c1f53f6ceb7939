"""The front door: photos of every kind in, small frozen results out, the same as the command line gives."""

import dataclasses
import doctest
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from cli_run import run
from PIL import Image

import facepipe
from facepipe.api.comparison import Decide
from facepipe.errors import ImageError, NoFaceError
from facepipe.images import write_rgb
from facepipe.zoo import DEFAULT

NAMES = ["Comparison", "Face", "FacepipeError", "Pipeline", "align", "compare", "detect", "embed", "identify", "load"]


@pytest.fixture(scope="module")
def photo(astronaut, tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    write_rgb(path, astronaut)
    return path


def kinds_of(path, pixels):
    return {
        "path": path,
        "name": str(path),
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
        "Pillow": Image.open(path),
        "array": pixels,
    }


@pytest.mark.parametrize("kind", ["path", "name", "bytes", "file", "Pillow", "array"])
def test_a_photo_of_any_kind(photo, astronaut, kind):
    [face] = facepipe.detect(kinds_of(photo, astronaut)[kind])
    [expected] = facepipe.detect(astronaut)
    np.testing.assert_array_equal(face.box, expected.box)
    assert face.landmarks.shape == (5, 2) and face.score > 0.99 and face.crop is None


def test_blue_first(astronaut):
    [face] = facepipe.embed(astronaut)
    [other] = facepipe.embed(np.ascontiguousarray(astronaut[:, :, ::-1]), bgr=True)
    np.testing.assert_array_equal(face.embedding, other.embedding)
    with pytest.raises(ImageError, match="bgr=True is for arrays"):
        facepipe.detect("a.jpg", bgr=True)


@pytest.mark.parametrize("photo", [3, None, np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), [[1]]])
def test_what_is_no_photo(photo):
    with pytest.raises(ImageError):
        facepipe.detect(photo)


def test_no_face():
    grey = np.full((100, 120, 3), 128, np.uint8)
    assert facepipe.detect(grey) == facepipe.align(grey) == facepipe.embed(grey) == ()
    with pytest.raises(NoFaceError, match="no face found"):
        facepipe.compare(grey, grey)


def test_results_are_frozen_and_plain(astronaut):
    [face] = facepipe.embed(astronaut)
    with pytest.raises(dataclasses.FrozenInstanceError):
        face.score = 1.0
    values = json.loads(json.dumps(face.to_dict()))
    assert len(values["embedding"]) == len(face.embedding) and "crop" not in values


def test_compare_is_what_the_command_line_says(photo, astronaut, tmp_path):
    mirrored = tmp_path / "mirrored.png"
    write_rgb(mirrored, astronaut[:, ::-1])
    answer = facepipe.compare(photo, str(mirrored))
    told = run("compare", photo, mirrored, "--json").json
    assert json.loads(json.dumps(answer.to_dict())) == told
    assert answer.same and answer.verdict == "same" and told["far"] == answer.far == 1e-3


def test_a_printed_comparison_is_what_the_command_line_says_first(photo, astronaut, tmp_path):
    mirrored = tmp_path / "mirrored.png"
    write_rgb(mirrored, astronaut[:, ::-1])
    answer = facepipe.compare(photo, str(mirrored))
    names, *lines = str(answer).splitlines()
    assert names == f"{photo} and {mirrored}"
    said = [line.strip() for line in run("compare", photo, mirrored).out.splitlines()]
    assert lines == said[: len(lines)] and lines[0].startswith("same person: score ")
    assert f"{answer.score:.3f} ≥ {answer.threshold:.3f}" in lines[0] and "probability" in lines[1]
    assert "\n" not in repr(answer) and f"probability={answer.probability}" in repr(answer)


@pytest.mark.parametrize("given", ["compare", "compare_many", "detect", "embed", "embed_many", "load"])
def test_what_is_printed_has_no_arrays(photo, given):
    pipeline = facepipe.Pipeline()
    results = {
        "compare": lambda: pipeline.compare(photo, photo),
        "compare_many": lambda: pipeline.compare_many([photo, photo]),
        "detect": lambda: pipeline.detect(photo),
        "embed": lambda: pipeline.embed(photo),
        "embed_many": lambda: list(pipeline.embed_many([photo])),
        "load": lambda: facepipe.load(DEFAULT, engine="onnx"),
    }
    value = results[given]()
    for text in (repr(value), str(value)):
        assert "array(" not in text and "dtype" not in text and len(text) < 1000, text


def test_a_face_says_how_large_its_arrays_are():
    box, crop = np.array([1.04, 2, 30.5, 40], np.float32), np.zeros((112, 96, 3), np.uint8)
    face = facepipe.Face(box, np.zeros((5, 2)), 0.98765, crop, np.ones(7), 812.345)
    assert repr(face) == "Face(box=(1.0, 2.0, 30.5, 40.0), score=0.9877, crop=96×112, embedding of 7, kappa=812.3)"
    assert repr(facepipe.Face(None, None, float("nan"))) == "Face(aligned crop)"


def test_a_score_at_the_threshold_is_the_same_person(astronaut):
    pipeline = facepipe.Pipeline(precision="float32")
    pair = astronaut, np.ascontiguousarray(astronaut[:, ::-1])
    score = pipeline.compare(*pair).score
    at, above = (pipeline.compare(*pair, Decide(threshold=limit)) for limit in (score, np.nextafter(score, 2)))
    assert at.score == above.score == score
    assert (at.same, at.verdict) == (True, "same")
    assert not above.same and above.verdict in ("not shown", "different")


def test_embed_many_tells_of_what_cannot_be_read(photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    pipeline = facepipe.Pipeline()
    found = list(pipeline.embed_many([photo, tmp_path / "broken.jpg", tmp_path / "gone.jpg", photo]))
    assert [len(entry.faces) for entry in found] == [1, 0, 0, 1]
    assert "not an image" in found[1].error and "no such file" in found[2].error and not found[0].error
    np.testing.assert_allclose(found[0].faces[0].embedding, found[3].faces[0].embedding, rtol=1e-5)


def test_identify(photo, tmp_path):
    (tmp_path / "people" / "Eileen").mkdir(parents=True)
    (tmp_path / "people" / "Eileen" / "1.png").write_bytes(photo.read_bytes())
    gallery = tmp_path / "gallery.parquet"
    assert run("gallery", "build", tmp_path / "people", gallery).code == 0
    [person] = facepipe.identify(photo, gallery)
    assert person.name == "Eileen" and person.known and person.score > 0.99
    assert person.face.box is not None and person.to_dict()["name"] == "Eileen"
    assert facepipe.identify(np.zeros((64, 64, 3), np.uint8), gallery) == ()


def test_a_pipeline_over_aligned_crops(astronaut):
    [face] = facepipe.align(astronaut)
    pipeline = facepipe.Pipeline(already_aligned=True)
    [again] = pipeline.embed(face.crop)
    [direct] = facepipe.embed(astronaut)
    assert again.box is None
    np.testing.assert_allclose(again.embedding, direct.embedding, rtol=1e-4, atol=1e-5)


def test_crops_cut_on_the_device(astronaut):
    photos = [astronaut, np.zeros((64, 64, 3), np.uint8), astronaut[:300]]
    how = {"engine": "torch", "precision": "float32", "faces": "all"}
    host, device = (list(facepipe.Pipeline(**how, warp=warp).embed_many(photos)) for warp in ("host", "device"))
    assert [len(photo.faces) for photo in host] == [len(photo.faces) for photo in device] and len(device[0].faces)
    for ours, theirs in zip((f for p in device for f in p.faces), (f for p in host for f in p.faces), strict=True):
        assert isinstance(ours.crop, np.ndarray) and np.abs(ours.crop.astype(int) - theirs.crop).mean() <= 0.5
        np.testing.assert_allclose(ours.embedding, theirs.embedding, rtol=0.01, atol=0.01)
        np.testing.assert_array_equal(ours.box, theirs.box)
    with pytest.raises(facepipe.FacepipeError, match="engine='onnx' runs on the CPU in float32, not with warp='dev"):
        list(facepipe.Pipeline(engine="onnx", warp="device").embed_many(photos))
    with pytest.raises(facepipe.FacepipeError, match="warp='devise'"):
        list(facepipe.Pipeline(warp="devise").embed_many(photos))


def test_the_doctests_run():
    from facepipe.api import functions, pipeline

    for module in (functions, pipeline):
        result = doctest.testmod(module)
        assert result.attempted > 0 and result.failed == 0


def test_names_are_there_and_nothing_is_imported_for_them():
    """An inventory: who removes a public name must say so here."""
    assert sorted(facepipe.__all__) == sorted([*NAMES, "Decide", "DetectorSettings", "__version__", "evaluate"])
    assert set(facepipe.__all__) <= set(dir(facepipe))
    script = "import sys, facepipe; sys.exit(' '.join({'torch', 'numpy', 'cv2', 'PIL', 'click'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.strip()) == (0, "") or ended.stderr.strip() == ""


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'compare'"):
        facepipe.comprae  # noqa: B018
