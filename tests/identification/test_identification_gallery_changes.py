"""Galleries that several change, reach through links, or write in two forms of Unicode: nothing is lost or undone."""

import multiprocessing
import os
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from cli_run import run
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from facepipe.embedding import Embeddings, save_embeddings
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.files import Layout, PassedOver
from facepipe.identification import Gallery, change_gallery, load_gallery, merge, save_gallery, without
from facepipe.identification.enrol import _check_person, _stored_paths

NFC, NFD = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


def gallery(*paths):
    rng = np.random.default_rng(len(paths))
    return Gallery(Embeddings(rng.normal(size=(len(paths), 4)).astype(np.float32), "m@1", "none", paths=paths))


def updates(path, number, count):
    """Adds somebody of its own at each step, and removes whom it added two steps before."""
    for step in range(count):
        change_gallery(path, lambda now, step=step: merge([now, gallery(f"p{number}-{step}/1.jpg")]))
        if step >= 2:
            change_gallery(path, lambda now, step=step: without(now, f"p{number}-{step - 2}"))


@pytest.mark.slow
def test_four_processes_lose_nothing(tmp_path):
    path = tmp_path / "g.parquet"
    save_gallery(path, gallery("Ada/1.jpg"))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=updates, args=(path, number, 26)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    expected = {"Ada"} | {f"p{number}-{step}" for number in range(4) for step in (24, 25)}
    assert set(load_gallery(path).names) == expected


class OneGallery(RuleBasedStateMachine):
    """A file against a set of names, whatever form of Unicode a name is given in."""

    names = st.sampled_from([NFC, NFD, "Ada", "Bo"])

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "g.parquet"
        self.real = Path(self.folder.name) / "real" / "g.parquet"
        save_gallery(self.real, gallery("First/1.jpg"))
        self.path.symlink_to(self.real)
        self.people = {"First"}

    @rule(name=names)
    def add(self, name):
        change_gallery(self.path, lambda now: merge([now, gallery(f"{name}/1.jpg")]))
        self.people.add(unicodedata.normalize("NFC", name))

    @rule(name=names)
    def remove(self, name):
        known = unicodedata.normalize("NFC", name) in self.people
        if known:
            change_gallery(self.path, lambda now: without(now, name))
            self.people.discard(unicodedata.normalize("NFC", name))
        else:
            before = self.real.read_bytes()
            with pytest.raises(EmbeddingsError, match="no such person"):
                change_gallery(self.path, lambda now: without(now, name))
            assert self.real.read_bytes() == before

    @invariant()
    def holds(self):
        assert set(load_gallery(self.real).names) == self.people
        assert self.path.is_symlink() and self.real.stat().st_mode & 0o777 == 0o600

    def teardown(self):
        self.folder.cleanup()


OneGallery.TestCase.settings = settings(max_examples=8, stateful_step_count=8, deadline=None)
TestOneGallery = OneGallery.TestCase


def test_mode_is_kept(tmp_path):
    path = tmp_path / "g.parquet"
    save_gallery(path, gallery("Ada/1.jpg", "Bo/1.jpg"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    assert run("gallery", "remove", path, "Ada").code == 0
    assert path.stat().st_mode & 0o777 == 0o640


def test_two_forms_are_one_person(tmp_path):
    path = tmp_path / "g.parquet"
    save_gallery(path, gallery(f"{NFD}/1.jpg", "Bo/1.jpg"))
    save_gallery(tmp_path / "other.parquet", gallery(f"{NFC}/1.jpg", f"{NFC}/2.jpg"))
    merged = run("gallery", "merge", path, tmp_path / "other.parquet", "-o", tmp_path / "all.parquet", "--json").json
    assert merged["people"] == {"Bo": 1, NFC: 2}
    ended = run("gallery", "remove", tmp_path / "all.parquet", NFD, "--json")
    assert ended.json["people"] == {"Bo": 1} and "different Unicode normalisation" in ended.err


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b"Zo\xeb")
    save_gallery(tmp_path / "g.parquet", gallery(f"{name}/1.jpg", "Bo/1.jpg"))
    assert run("gallery", "remove", tmp_path / "g.parquet", name, "--json").json["people"] == {"Bo": 1}


def test_merge_into_one_of_them(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    save_gallery(first, gallery("Ada/1.jpg"))
    save_gallery(second, gallery("Bo/1.jpg"))
    assert run("gallery", "merge", first, second, "-o", first, "--json").json["people"] == {"Ada": 1, "Bo": 1}
    other = tmp_path / "c.parquet"
    other.write_text("mine")
    assert run("gallery", "merge", first, second, "-o", other).code == 2 and other.read_text() == "mine"
    assert run("gallery", "merge", first, second, "-o", other, "--overwrite").code == 0


def test_files_of_one_name_are_both_kept():
    roots = [Path("a"), Path("b")]
    names, remarks = _stored_paths([(root, root / "Ada" / "1.jpg") for root in roots], None, Layout(), PassedOver())
    assert list(names.values()) == ["Ada/1.jpg", "Ada/1_2.jpg"]
    assert [(remark.kind, remark.path) for remark in remarks] == [("renamed", "Ada/1_2.jpg")]


@pytest.mark.parametrize("name", ["", "  ", "unknown"])
def test_names_that_cannot_be_kept(name):
    with pytest.raises(DatasetError, match="not allowed as a person's name"):
        _check_person(name)


def test_galleries_of_before_name_people_as_they_did(tmp_path):
    """Their paths may be deeper, and a name held no slash."""
    deep = Embeddings(np.eye(2, dtype=np.float32), "m@1", "none", paths=("001/frontal/1.jpg", "002/profile/1.jpg"))
    save_embeddings(tmp_path / "old.parquet", deep, private=True)
    assert load_gallery(tmp_path / "old.parquet").names == ("001", "002")
    save_gallery(tmp_path / "new.parquet", Gallery(deep))
    assert load_gallery(tmp_path / "new.parquet").names == ("001/frontal", "002/profile")
