"""A command that is killed outright, without a chance to tidy up, and run again: what it writes is that of one run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_run import run, tiny_model

from facepipe.datasets.samples.recordio import write_recordio
from facepipe.embedding import load_embeddings
from facepipe.files.stored import as_path
from facepipe.images import write_rgb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL"),
]

DIES = """
import os, signal, sys
import facepipe.pipeline, facepipe.embedding.begun_file, facepipe.preprocess.processing as processing
facepipe.pipeline.STEP = processing.STEP = 2
facepipe.embedding.begun_file.KEEP_SECONDS = processing.STEP_SECONDS = 0.0
from {module} import {owner} as owner
whole, calls = owner.{name}, []

def dying(*given, **named):
    done = whole(*given, **named)
    calls.append(0)
    if len(calls) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

owner.{name} = dying
from facepipe.cli.main import main
main()
"""
"""The command, killed behind the call number ``after`` of a function by which it keeps what is done."""

EMBEDDING = {"module": "facepipe.embedding.embeddings_file", "owner": "EmbeddingsWriter", "name": "write", "after": 2}
UNPACKING = {"module": "facepipe.preprocess", "owner": "from_rec", "name": "write_bytes", "after": 7}
CROPPING = {"module": "facepipe.preprocess.journal", "owner": "Journal", "name": "append", "after": 2}


def killed(where, *words):
    """Run the command until it is killed; what it said."""
    script = DIES.format(**where)
    more = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    line = [sys.executable, "-c", script, *map(str, words)]
    made = subprocess.run(line, capture_output=True, text=True, env=os.environ | more, timeout=300)
    assert made.returncode == -signal.SIGKILL, made.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("photos") / "raw"
    face = cv2.resize(astronaut[:300, 80:380], (112, 112))[:, 8:104]
    for number in range(8):
        write_rgb(root / f"p{number // 2}" / f"{number}.png", np.roll(face, 3 * number, 1))
    (root / "p0" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return root


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """As of the command that is killed: a face in another batch differs in its last digit."""
    monkeypatch.setattr("facepipe.pipeline.STEP", 2)


@pytest.fixture(params=["file", "store"])
def place(request, tmp_path):
    """Where embeddings go: a file, or an address that fsspec opens."""
    return tmp_path / "e.parquet" if request.param == "file" else f"local://{tmp_path}/store/e.parquet"


def stored(place):
    """The embeddings there."""
    path = Path(str(place).removeprefix("local://"))
    return load_embeddings(path)


def same(ours, theirs):
    assert (ours.paths, ours.failed, ours.model) == (theirs.paths, theirs.failed, theirs.model)
    assert (ours.mu == theirs.mu).all()


def test_embed_goes_on_into_a_file_and_a_store(photos, model, place, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    words = ["embed", photos, "-m", model, "--already-aligned", "-o"]
    assert run(*words, tmp_path / "alone.parquet").code == 0
    killed(EMBEDDING, *words, place)
    assert not as_path(place).exists(), "nothing half-written"
    again = run(*words, place, "--json")
    assert again.code == 0 and "resuming an interrupted run" in again.err
    assert (again.json["embedded"], again.json["failed"]) == (8, 1)
    same(stored(place), load_embeddings(tmp_path / "alone.parquet"))
    assert not list(tmp_path.rglob("*.begun")), "nothing is left of what was kept"
    third = run(*words, place, "--json")
    assert third.code == 0 and "goes on" not in third.err


def test_embed_at_workers_goes_on(photos, model, place, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'facepipe[ray]'")
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    words = ["embed", photos, "-m", model, "--already-aligned", "-o"]
    assert run(*words, tmp_path / "alone.parquet").code == 0
    killed(EMBEDDING, *words, place, "--on", "ray", "--workers", 1)
    assert not as_path(place).exists()
    again = run(*words, place, "--json")
    assert again.code == 0 and "resuming an interrupted run" in again.err
    same(stored(place), load_embeddings(tmp_path / "alone.parquet"))


def test_records_are_unpacked_once(tmp_path):
    """What lies there whole is kept, whatever was cut off is written, and a list of what was skipped is the same."""
    face = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
    images = [(label, cv2.imencode(".jpg", np.roll(face, label))[1].tobytes()) for label in range(12)]
    images[9] = (9, b"no image at all")
    (tmp_path / "data").mkdir()
    write_recordio(tmp_path / "data" / "train.rec", images, (16, 12))
    words = ["preprocess", tmp_path / "data" / "train.rec"]
    assert run(*words, tmp_path / "alone", "--from-rec").code == 0
    killed(UNPACKING, *words, tmp_path / "out", "--from-rec")
    half = {path.name for path in (tmp_path / "out").rglob("*.jpg")}
    assert 0 < len(half) < 11 and not (tmp_path / "out" / "skipped.csv").exists()
    again = run(*words, tmp_path / "out", "--from-rec", "--json").json
    assert again["kept"] + again["written"] == 11 and again["kept"] >= 6 and again["skipped"] == 1

    def files(name):
        return {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}

    assert files("out") == files("alone")


@pytest.mark.parametrize("workers", [(), ("--on", "ray", "--workers", 1)], ids=["here", "ray"])
def test_preprocess_goes_on(photos, tmp_path, workers):
    if workers:
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'facepipe[ray]'")
    words = ["preprocess", photos]
    assert run(*words, tmp_path / "alone", "--already-aligned").code == 0
    killed(CROPPING, *words, tmp_path / "out", "--already-aligned", *workers)
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    again = run(*words, tmp_path / "out", "--already-aligned", "--json")
    assert "resuming: " in again.err and json.loads(again.out)["crops"] == 8

    def files(name):
        return {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.jpg")}

    assert files("out") == files("alone") and len(files("out")) == 8
