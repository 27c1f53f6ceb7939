"""Every command that goes on with, or keeps, what it made before: run again after its inputs have changed."""

import os
import shutil

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from changed_inputs import CHANGES, NOTHING, change
from cli_run import refused, run, tiny_model

from facepipe.embedding import load_embeddings
from facepipe.images import read_rgb, write_rgb

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def faces(astronaut):
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    return [np.roll(face, 5 * number, 1) for number in range(5)]


@pytest.fixture
def photos(tmp_path, faces):
    """Uncompressed, so that all are of one size."""
    root = tmp_path / "photos"
    for number, face in enumerate(faces[:4]):
        write_rgb(root / "AB"[number % 2] / f"{number}.bmp", face)
    return root


def embeddings(path):
    made = load_embeddings(path)
    order = np.argsort(made.paths)
    return [made.paths[row] for row in order], made.mu[order]


def check_same(path, fresh):
    (names, mu), (wanted, right) = embeddings(path), embeddings(fresh)
    assert names == wanted and np.allclose(mu, right, atol=1e-4)


def embed(photos, out, model, *more):
    return run("embed", photos, "-o", out, "-m", model, "--already-aligned", "--json", *more).json


@pytest.mark.parametrize("what", CHANGES)
def test_embed(photos, faces, model, tmp_path, what, monkeypatch):
    out, fresh = tmp_path / "e.parquet", tmp_path / "fresh.parquet"
    assert "changes" not in embed(photos, out, model)
    change(photos, what, faces)
    if "same" in what:
        assert embed(photos, out, model)["changes"] == NOTHING
        assert embed(photos, out, model, "--verify")["changes"] == NOTHING | {"changed": 1}
    else:
        done = []
        from facepipe import ensemble

        usual = ensemble.embed_ensemble
        monkeypatch.setattr(
            ensemble, "embed_ensemble", lambda files, *a, **b: usual(done.extend(f := [*files]) or f, *a, **b)
        )
        told = embed(photos, out, model)["changes"]
        assert told == NOTHING | CHANGES[what] and len(done) == told["new"] + told["changed"]
    embed(photos, fresh, model)
    check_same(out, fresh)
    assert embed(photos, out, model)["changes"] == NOTHING, "a third time nothing is left"


def test_embed_frozen_and_with_other_options(photos, faces, model, tmp_path):
    out = tmp_path / "e.parquet"
    embed(photos, out, model)
    before = out.read_bytes()
    for what in ("added", "changed", "renamed"):
        change(photos, what, faces)
    ended = run("embed", photos, "-o", out, "-m", model, "--already-aligned", "--frozen", "--json")
    assert ended.json["embedded"] == 4 and "--frozen" in ended.err and out.read_bytes() == before
    other = ("embed", photos, "-o", out, "-m", model, "--flip", "sum", "--already-aligned")
    assert "was made with a different flip" in refused(*other, "--frozen")
    ended = run(*other, "--json")
    assert "was made with a different flip: all images are embedded again" in ended.err and "changes" not in ended.json
    shutil.rmtree(photos / "A")
    shutil.rmtree(photos / "B")
    shutil.rmtree(photos / "C")
    before = out.read_bytes()
    assert "nothing to embed" in run(*other).err and out.read_bytes() == before


@pytest.mark.parametrize("what", CHANGES)
def test_preprocess(photos, faces, tmp_path, what):
    out, fresh = tmp_path / "crops", tmp_path / "fresh"

    def preprocess(to, *more):
        return run("preprocess", photos, to, "--already-aligned", "--format", "png", "--json", *more).json

    preprocess(out)
    change(photos, what, faces)
    if "same" in what:
        assert preprocess(out)["changes"] == NOTHING
        assert preprocess(out, "--verify")["changes"] == NOTHING | {"changed": 1}
    else:
        assert preprocess(out)["changes"] == NOTHING | CHANGES[what]
    preprocess(fresh)
    crops = [{p.relative_to(to): read_rgb(p).tobytes() for p in to.rglob("*.png")} for to in (out, fresh)]
    assert crops[0] == crops[1]
    rows = [pq.read_table(to / "manifest.parquet").to_pylist() for to in (out, fresh)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("what", CHANGES)
def test_gallery(photos, faces, model, tmp_path, what):
    path, fresh = tmp_path / "g.parquet", tmp_path / "fresh.parquet"
    build = ("gallery", "build", photos, "-m", model, "--json")
    run(*build, path)
    write_rgb(tmp_path / "Zoe.png", faces[0])
    run("gallery", "add", path, tmp_path / "Zoe.png", "-m", model)
    change(photos, what, faces)
    told = run(*build, path, "--update").json["changes"]
    if "same" in what:
        assert told == NOTHING
        told = run(*build, path, "--update", "--verify").json["changes"]
        assert told == NOTHING | {"changed": 1}
    else:
        assert told == NOTHING | CHANGES[what]
    run(*build, fresh)
    run("gallery", "add", fresh, tmp_path / "Zoe.png", "-m", model)
    check_same(path, fresh)
    assert run(*build, path, "--update").json["changes"] == NOTHING
    shutil.rmtree(photos)
    photos.mkdir()
    assert "nothing is removed" in refused("gallery", "build", photos, path, "-m", model, "--update")


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("suffix", [".npy", ".faiss"])
def test_search(photos, faces, model, tmp_path, suffix, what):
    """The store is what changes, by way of the photos; the index must follow."""
    if suffix == ".faiss":
        pytest.importorskip("faiss")
    store, index = tmp_path / "e.parquet", tmp_path / f"i{suffix}"
    embed(photos, store, model)
    search = ("search", store, store, "-k", 9, "--json", "--probes", 9)
    assert "written" in run(*search, "--index", index).err
    change(photos, what, faces)
    embed(photos, store, model, "--verify")
    ended = run(*search, "--index", index)
    if what not in ("touched", "nothing"):
        assert f"{store}: has changed since" in ended.err and "written" in ended.err
    found, right = ended.lines, run(*search).lines
    assert [hit["path"] for hit in found[0]["hits"]] == [hit["path"] for hit in right[0]["hits"]]
    assert "written" not in run(*search, "--index", index).err
    # The store itself, touched and renamed.
    os.utime(store, ns=(0, 0))
    assert "written" not in run(*search, "--index", index).err
    moved = tmp_path / "moved.parquet"
    store.rename(moved)
    assert "written" not in run("search", moved, moved, "--index", index).err


@pytest.mark.parametrize("what", CHANGES)
def test_find(photos, faces, model, tmp_path, what, monkeypatch):
    def find(*more):
        words = ("find", tmp_path / "asked.bmp", photos, "-m", model, "--threshold", 0.5, "--no-turns", "--json")
        told = run(*words, *more).json
        hits = sorted((hit["path"], round(hit["score"], 3)) for hit in told["searches"][0]["hits"])
        return told["changes"], (told["photos"], told["faces"], hits)

    write_rgb(tmp_path / "asked.bmp", faces[0])
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    assert find()[0] == NOTHING | {"new": 4}
    change(photos, what, faces)
    if "same" in what:
        assert find()[0] == NOTHING
        changes, found = find("--verify")
        assert changes == NOTHING | {"changed": 1}
    else:
        changes, found = find()
        assert changes == NOTHING | CHANGES[what]
    assert find()[0] == NOTHING, "a third time nothing is left"
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "fresh"))
    assert find()[1] == found
