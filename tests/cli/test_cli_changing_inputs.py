"""Files that go, are cut or change between the walk and the reading: each is told, the rest is done, and the next run
ends as if nothing had happened."""

import shutil
from threading import Lock

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_run import run, tiny_model
from test_cli_troubles import COMMANDS
from verification_folders import write_pairs

from facepipe.embedding import load_embeddings
from facepipe.images import reading, write_rgb

pytestmark = pytest.mark.slow


PEOPLE, IMAGES = 3, 4
READERS = (
    "images.reading", "images.marking", "images.listing", "datasets.samples.folders", "datasets.samples.list_file",
    "datasets.samples.unlabelled",
)  # fmt: skip


@pytest.fixture(scope="module")
def there(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("changing")
    face = cv2.resize(astronaut[:300, 80:380], (112, 112), interpolation=cv2.INTER_AREA)[:, 8:104]
    for person in range(PEOPLE):
        for image in range(IMAGES):
            write_rgb(root / "photos" / f"p{person}" / f"{image}.png", np.roll(face, 4 * person + image, 1))
    for image in range(2):  # as `gallery_add` counts
        write_rgb(root / "known" / f"{image}.png", np.roll(face, image, 1))
    (root / "photos" / "notes.txt").write_text("hello")
    model = tiny_model(root / "tiny")
    assert run("gallery", "build", root / "known", root / "g.parquet", "-m", model, "--no-turns").code == 0
    return root


def change(photos):
    """What lies in the last person's folder goes, is cut, becomes something else and another picture."""
    files = [photos / f"p{PEOPLE - 1}" / f"{image}.png" for image in range(IMAGES)]
    other = (photos / "p0" / "0.png").read_bytes()
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:200])
    files[2].write_text("no photo any more")
    files[3].write_bytes(other)


@pytest.fixture
def changing(there, tmp_path, monkeypatch):
    """A copy of the photos, which changes as soon as the first of them is read."""
    shutil.copytree(there, tmp_path / "set")
    photos, lock, done = tmp_path / "set" / "photos", Lock(), []
    read = reading.read_encoded

    def read_changing(path, name=""):
        with lock:
            if not done:
                done.append(path)
                change(photos)
        return read(path, name)

    for module in READERS:
        monkeypatch.setattr(f"facepipe.{module}.read_encoded", read_changing)
    yield photos
    assert done


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "eval megaface"])
def test_what_changed_is_told_and_the_rest_is_done(changing, tmp_path, name):
    (tmp_path / "out").mkdir()
    (done, _, failed), ended = COMMANDS[name](changing, tmp_path / "out")
    assert ended.code == 0, ended.err
    # The one that went may have gone before it was listed.
    assert failed in (2, 3) and done + failed in (11, 12), (done, failed, ended.err)
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_distractors_that_went_are_too_few(changing, tmp_path):
    for number in range(2):
        (tmp_path / "probes" / f"q{number}").mkdir(parents=True)
        for image in range(2):
            shutil.copy(changing / "p0" / f"{image}.png", tmp_path / "probes" / f"q{number}")
    words = ["-m", changing.parent / "tiny", "--already-aligned", "--size", 12]
    ended = run("eval", "megaface", tmp_path / "probes", changing, *words)
    assert ended.code == 2 and "distractors, fewer than the requested 12" in ended.err


@pytest.mark.parametrize("on_miss", ["centre", "skip"])
def test_an_evaluation_tells_what_went(changing, tmp_path, on_miss):
    """Without an image there is no such figure, unless pairs may be left out."""
    pairs = write_pairs(tmp_path / "pairs.csv", PEOPLE)
    words = ["--already-aligned", "-m", changing.parent / "tiny", "--on-miss", on_miss, "--json"]
    ended = run("eval", "pairs", changing, "--pairs", pairs, *words)
    if on_miss == "skip":
        told = ended.json
        assert told["unreadable"] in (2, 3) and "p2/" in told["why_unreadable"]
        assert told["pairs"] + told["skipped_pairs"] == 8 * PEOPLE and told["skipped_pairs"] >= 8
    else:
        assert ended.code == 2 and ended.out == "", ended
        (line,) = [line for line in ended.err.splitlines() if line.startswith("facepipe: ")]
        assert "p2/" in line


def rows(path):
    return [{key: row[key] for key in ("path", "status", "crops")} for row in pq.read_table(path).to_pylist()]


def test_preprocess_catches_up(changing, tmp_path):
    for out in ("first", "first", "fresh"):
        assert run("preprocess", changing, tmp_path / out, "--already-aligned").code in (0, 1)
    first, fresh = (
        {path.name: path.read_bytes() for path in (tmp_path / out).rglob("*.jpg")} for out in ("first", "fresh")
    )
    assert rows(tmp_path / "first" / "manifest.parquet") == rows(tmp_path / "fresh" / "manifest.parquet")
    assert first == fresh and len(fresh) >= IMAGES


def test_embed_catches_up(changing, there, tmp_path):
    for out in ("first", "first", "fresh"):
        words = ["--already-aligned", "-m", there / "tiny"]
        assert run("embed", changing, "-o", tmp_path / f"{out}.parquet", *words).code in (0, 1)
    first, fresh = (load_embeddings(tmp_path / f"{out}.parquet") for out in ("first", "fresh"))
    assert first.paths == fresh.paths and len(fresh) == 9
    np.testing.assert_array_equal(first.mu, fresh.mu)
