"""What is asked about comes first, where it is looked for last; the other order is known by content, and remarked."""

import cv2
import numpy as np
import pytest
from cli_run import run, tiny_model

from facepipe.images import encode_rgb, write_rgb


@pytest.fixture(scope="module")
def made(tmp_path_factory, astronaut):
    """A model, photos of one and of two people, a gallery and a store."""
    root = tmp_path_factory.mktemp("order")
    model = tiny_model(root / "tiny")
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    write_rgb(root / "people" / "Ada" / "1.png", face)
    write_rgb(root / "one.png", face)
    write_rgb(root / "two.png", np.concatenate([face, np.ascontiguousarray(face[:, ::-1])], 1))
    assert run("gallery", "build", root / "people", root / "g.parquet", "-m", model).code == 0
    assert run("embed", root / "people", "-o", root / "s.parquet", "-m", model).code == 0
    return root, ["-m", model, "--threshold", 0.9]


@pytest.mark.parametrize(
    ("command", "store", "remark"),
    [
        ("identify", "g.parquet", "the gallery goes last: facepipe identify MEDIA... GALLERY"),
        ("search", "s.parquet", "contains embeddings, so it is used as STORE; QUERY comes first"),
    ],
)
def test_either_order(made, command, store, remark):
    root, words = made
    told = run(command, root / "one.png", root / store, *words, "--json")
    swapped = run(command, root / store, root / "one.png", *words, "--json")
    assert told.code == swapped.code == 0 and told.out == swapped.out
    assert remark not in told.err and remark in swapped.err


def test_several_media_in_the_old_order(made):
    root, words = made
    told = run("identify", root / "one.png", root / "two.png", root / "g.parquet", *words)
    assert told.out == run("identify", root / "g.parquet", root / "one.png", root / "two.png", *words).out
    assert len(told.out.splitlines()) == 2


def test_an_address_after_the_gallery(made):
    """It is no path: a slash of it would be lost."""
    root, words = made
    address = (root / "one.png").as_uri()
    told = run("identify", address, root / "g.parquet", *words, "--json")
    swapped = run("identify", root / "g.parquet", address, *words, "--json")
    assert told.code == swapped.code == 0 and told.out == swapped.out and "goes last" in swapped.err
    camera = run("identify", root / "g.parquet", 77, *words)
    assert camera.code == 2 and "camera 77" in camera.err


def test_people_from_left_to_right(made):
    root, words = made
    faces = run("identify", root / "two.png", root / "g.parquet", *words, "--json").lines
    lefts = [face["box"][0] for face in faces]
    assert len(lefts) == 2 and lefts == sorted(lefts)
    mirrored = cv2.imread(str(root / "two.png"))[:, ::-1, ::-1]
    write_rgb(root / "mirrored.png", np.ascontiguousarray(mirrored))
    other = run("identify", root / "mirrored.png", root / "g.parquet", *words, "--json").lines
    assert [face["box"][0] for face in other] == sorted(face["box"][0] for face in other)


def test_a_photo_on_stdin(made, monkeypatch):
    import io
    import sys

    root, words = made
    data = (root / "one.png").read_bytes()
    assert data != encode_rgb(np.zeros((2, 2, 3), np.uint8), ".png")
    for command, store in (("identify", "g.parquet"), ("search", "s.parquet"), ("find", "people")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        ended = run(command, "-", root / store, *words)
        assert ended.code == 0 and "<stdin>" in ended.out, ended


def test_what_search_thinks_of_its_hits(made):
    root, words = made
    ended = run("search", root / "two.png", root / "s.parquet", *words, "--json")
    assert "2 faces, one of which is searched" in ended.err
    assert "a match from a score of 0.900, as set" in ended.err
    [hit] = ended.json["hits"]
    assert hit["verdict"] == ("match" if hit["score"] >= 0.9 else "no match")
    table = run("search", root / "one.png", root / "s.parquet", *words)
    assert table.out.splitlines()[2].split()[2] == "match"
    unknown = run("search", root / "one.png", root / "s.parquet", *words[:2], "--fpir", 1e-6)
    assert "no verdicts: model tiny has cosine thresholds at FAR 0.001: too few" in unknown.err
    assert unknown.out.splitlines()[2].split()[2] == "–"
