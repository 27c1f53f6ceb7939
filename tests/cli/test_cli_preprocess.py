"""``facepipe preprocess``."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.embedding import load_embeddings
from facepipe.images import read_rgb, write_rgb
from facepipe.preprocess import read_manifest


@pytest.fixture(scope="module")
def raw(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("data") / "raw"
    for name, side in (("A b/1.jpg", 130), ("A b/2.png", 150), ("Ç/1.jpg", 128)):
        write_rgb(root / name, cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA))
    write_rgb(root / "Ç" / "nobody.png", np.full((90, 90, 3), 90, np.uint8))
    (root / "Ç" / "text.jpg").write_text("no image")
    return root


def test_json_and_files(raw, tmp_path):
    ended = run("preprocess", raw, tmp_path, "--template", "112x96", "--preset", "fast", "--json")
    assert ended.err == "" and ended.json == {
        "total": 5,
        "statuses": {"ok": 3, "no_face": 1, "error": 1},
        "crops": 3,
        "manifest": str(tmp_path / "manifest.parquet"),
        "skipped": str(tmp_path / "skipped.csv"),
        "remarks": {},
        "changes": {"new": 0, "changed": 0, "vanished": 0, "touched": 0},
        "passed_over": {},
        "identities": 2,
        "layout": "",
    }
    crops = [crop for row in read_manifest(tmp_path) for crop in row["crops"]]
    assert crops == ["A b/1.jpg", "A b/2.jpg", "Ç/1.jpg"]
    assert all(read_rgb(tmp_path / crop).shape == (112, 96, 3) for crop in crops)


def test_for_people_and_again(raw, tmp_path):
    words = ["preprocess", raw, tmp_path, "--preset", "fast"]
    first, again = run(*words), run(*words)
    assert first.code == again.code == 0 and first.out == again.out
    summary, skipped = first.out.splitlines()
    manifest = tmp_path / "manifest.parquet"
    assert summary == f"5 images: 1 error, 1 no_face, 3 ok; 3 crops of 2 people in {tmp_path}; manifest: {manifest}"
    assert skipped == f"left out, with reasons: {tmp_path / 'skipped.csv'}"
    assert (first.err, again.err) == ("", "resuming: 5 of 5 images already done\n")
    line = refused(*words, "--template", "112x96")
    changed = "begun with template '112x112-umeyama', now '112x96-cp2tform'"
    assert line.startswith(f"{tmp_path}: {changed}; use the same settings to resume")
    assert run(*words, "--template", "112x96", "--overwrite").err == ""


def test_options(raw, tmp_path):
    words = ["--format", "png", "--on-miss", "centre", "--faces", "all", "--min-face", 100, "--json"]
    told = run("preprocess", raw, tmp_path, *words).json
    assert told["statuses"] == {"centre": 4, "error": 1} and told["crops"] == 4
    assert (tmp_path / "A b" / "1_0.png").is_file()
    aligned = run("preprocess", raw, tmp_path / "b", "--already-aligned", "--quality", 50, "--json").json
    assert aligned["statuses"] == {"aligned": 4, "error": 1}


def test_shards(raw, tmp_path):
    told = [run("preprocess", raw, tmp_path, "--preset", "fast", "--shard", f"{k}/2", "--json").json for k in (1, 2)]
    assert [part["total"] for part in told] == [5, 0]
    assert len(list(read_manifest(tmp_path))) == 5


def test_overwriting_a_shard_leaves_the_others(raw, tmp_path):
    words = ("preprocess", raw, tmp_path, "--preset", "fast")
    for k in (1, 2):
        assert run(*words, "--shard", f"{k}/2").code == 0
    assert run(*words, "--shard", "2/2", "--overwrite").code == 0
    assert (tmp_path / ".facepipe" / "journal-00001-of-00002.jsonl").exists()
    assert run(*words, "--shard", "1/2", "--overwrite", "--template", "112x96").code == 0
    assert not list(tmp_path.glob("**/*-00002-of-00002*"))


def test_errors_are_one_line(raw, tmp_path):
    assert refused("preprocess", tmp_path / "x", tmp_path / "out") == (
        f"{tmp_path / 'x'}: no such file or folder; check the path"
    )
    (tmp_path / "empty").mkdir()
    assert "contains no images" in refused("preprocess", tmp_path / "empty", tmp_path / "out")
    assert "is also read as input" in refused("preprocess", raw, raw)
    assert "crops must not go into the raw images' folder" in refused("preprocess", raw, raw.parent)
    for shard in ("3", "a/b", "1/2/3"):
        assert f"--shard {shard}: must be I/N, such as 3/8" in refused("preprocess", raw, tmp_path, "--shard", shard)
    assert "must be i/n" in refused("preprocess", raw, tmp_path, "--shard", "3/2")
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused("preprocess", raw, tmp_path / "file")
    assert "--quality" in run("preprocess", raw, tmp_path, "--quality", 0).err


@pytest.mark.slow
def test_crops_of_another_cut_are_told_to_a_model(raw, tmp_path):
    """A model of 112x96 is told of crops of 112x112; the shipped one, of 112x112, refuses those of the old cut."""
    model = tiny_model(tmp_path / "tiny")
    words = ["preprocess", raw, tmp_path / "new", "--preset", "fast"]
    assert run(*words).code == 0
    embed = ["embed", "--already-aligned", "-o", tmp_path / "e.parquet"]
    ended = run(*embed, tmp_path / "new", "-m", model)
    assert ended.code == 0 and "crops cut as 112x112-umeyama, but the model takes 112x96-cp2tform" in ended.err
    words[2] = tmp_path / "old"
    assert run(*words, "--template", "112x112-cp2tform").code == 0
    line = refused(*embed, tmp_path / "old")
    assert "crops cut as 112x112-cp2tform, but the model takes 112x112-umeyama; make new crops" in line
    assert run(*embed, tmp_path / "new").code == 0


def test_crops_say_how_their_faces_were_found(raw, tmp_path):
    """Embeddings of crops record what embeddings of the photos do; crops of which nothing is known say just that."""
    model, words = tiny_model(tmp_path / "tiny"), ["--preset", "fast", "--min-face", 30, "--faces", "best"]
    assert run("preprocess", raw, tmp_path / "crops", *words).code == 0
    found, after = tmp_path / "photos.parquet", tmp_path / "crops.parquet"
    told = run("embed", raw, "-o", found, "-m", model, *words, "--json").json["findings"]
    crops = ["embed", tmp_path / "crops", "-o", after, "-m", model, "--already-aligned", "--json"]
    assert run(*crops).json["findings"] == told == list(load_embeddings(found).findings)
    assert load_embeddings(after).findings == tuple(told) and told[0]["min_face"] == 30
    (tmp_path / "crops" / "manifest.parquet").unlink()
    assert run(*crops, "--overwrite").json["findings"] == [{"detector": "already aligned"}]


@pytest.mark.slow
def test_a_preset_says_which_face_is_taken(tmp_path, astronaut):
    """A face in the middle, half as wide as one beside it: insightface's script takes the middle one, `largest` not."""
    import cv2

    small = cv2.resize(astronaut[40:200, 150:310], (100, 100), interpolation=cv2.INTER_AREA)
    photo = np.zeros((400, 500, 3), np.uint8)
    photo[150:250, 200:300] = small
    photo[0:160, 320:480] = astronaut[40:200, 150:310]
    write_rgb(tmp_path / "in" / "a.png", photo)
    asked, taken = {"insightface": ["--preset", "insightface"], "largest": [], "asked": ["--faces", "centre"]}, {}
    for name, words in asked.items():
        assert run("align", tmp_path / "in", "-o", tmp_path / name, *words).code == 0
        taken[name] = read_rgb(tmp_path / name / "a.png").astype(int)
    assert abs(taken["insightface"] - taken["asked"]).mean() < 10 < abs(taken["largest"] - taken["asked"]).mean()


def test_a_preset_says_how_crops_are_cut_and_saved(raw, tmp_path):
    """SphereFace's are 112×96 and of MATLAB's JPEG quality; what is asked for by name goes before."""
    import json

    import pyarrow.parquet as pq

    words = ["preprocess", raw, "--preset", "sphereface-matlab"]
    assert run(*words, tmp_path / "a").code == 0
    assert run(*words, tmp_path / "b", "--template", "112x112", "--quality", "90").code == 0
    about = [json.loads(pq.read_schema(tmp_path / k / "manifest.parquet").metadata[b"facepipe"]) for k in "ab"]
    assert [(x["template"], x["quality"]) for x in about] == [("112x96-cp2tform", 75), ("112x112-umeyama", 90)]
    assert (about[0]["detection"]["detector"], about[0]["faces"]) == ("mtcnn-matlab", "centre")
    assert read_rgb(tmp_path / "a" / "A b" / "1.jpg").shape == (112, 96, 3)
