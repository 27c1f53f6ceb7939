"""Crops in tar shards and Parquet files, here and in a store: those of files, each pack whole or not there."""

import io
import json
import shutil
import tarfile
from dataclasses import replace

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_run import run
from PIL import Image
from train_tiny import crop, encoded, write_folders

from facepipe.datasets import open_samples
from facepipe.datasets.photos import list_collection
from facepipe.detection import DetectorSettings
from facepipe.errors import DatasetError
from facepipe.files import Mark, OutputError, PassedOver
from facepipe.files.stored import as_path
from facepipe.images import read_marked
from facepipe.preprocess import Plan, merge_shards, preprocess
from facepipe.preprocess.begun_pack import BegunPack
from facepipe.preprocess.manifest import about_of, rows_of
from facepipe.preprocess.scan import Listed

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path):
    """Ten crops of five people, and a picture that cannot be read."""
    raw = write_folders(tmp_path / "raw", identities=5, images=2, size=(112, 112))
    (raw / "person02" / "broken.jpg").write_bytes(b"no picture")
    return raw


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A store in this process's memory; what is known of jobs there lies in the cache."""
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def plan(raw, out, **more):
    return Plan(raw, out, detection=None, **({"pack_size": 4} | more))


def crops_of(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.jpg")}


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_a_tar_pack_holds_the_crops_of_files_and_what_is_known_of_them(folder, tmp_path):
    preprocess(plan(folder, tmp_path / "files"), "cpu")
    report = preprocess(plan(folder, tmp_path / "packs", pack="tar"), "cpu")
    packs = sorted((tmp_path / "packs").glob("*.tar"))
    assert [pack.name for pack in packs] == [f"crops-00000{n}.tar" for n in range(3)]
    found = {name: data for pack in packs for name, data in members(pack.read_bytes()).items()}
    images = {name: data for name, data in found.items() if name.endswith(".jpg")}
    assert images == crops_of(tmp_path / "files") and len(images) == 10
    assert json.loads(found["person03/1.json"]) == {"identity": "person03", "path": "person03/1.png"}
    assert report.statuses == {"aligned": 10, "error": 1} and report.skipped is not None
    rows = {row["path"]: row["crops"] for row in rows_of(report.manifest)}
    assert rows["person00/0.png"] == ["crops-000000.tar/person00/0.jpg"] and rows["person02/broken.jpg"] == []
    samples = open_samples([tmp_path / "packs"])
    assert len(samples) == 10 and list(samples.identities) == [f"person0{n}" for n in range(5)]


def test_a_parquet_pack_holds_them_too_and_can_be_given_again(folder, tmp_path):
    preprocess(plan(folder, tmp_path / "files"), "cpu")
    preprocess(plan(folder, tmp_path / "packs", pack="parquet"), "cpu")
    packs = sorted((tmp_path / "packs").glob("crops*.parquet"))
    rows = [row for pack in packs for row in pq.read_table(pack).to_pylist()]
    assert {row["image"]["path"]: row["image"]["bytes"] for row in rows} == crops_of(tmp_path / "files")
    assert {row["identity"] for row in rows} == {f"person0{n}" for n in range(5)}
    photos = list(list_collection(tmp_path / "packs" / "crops-000001.parquet", PassedOver()))
    assert [photo.read() for photo in photos] == [row["image"]["bytes"] for row in rows[4 : 4 + len(photos)]]


def test_of_a_face_its_box_landmarks_and_score_are_kept(tmp_path, astronaut):
    (tmp_path / "raw" / "ada").mkdir(parents=True)
    Image.fromarray(astronaut[:300, 60:400]).save(tmp_path / "raw" / "ada" / "1.png")
    wanted = Plan(tmp_path / "raw", tmp_path / "out", detection=DetectorSettings(), pack="tar")
    report = preprocess(wanted, "cpu")
    known = json.loads(members((tmp_path / "out" / "crops-000000.tar").read_bytes())["ada/1.json"])
    (row,) = rows_of(report.manifest)
    chosen = row["chosen"][0]
    assert np.allclose(known["box"], row["boxes"][chosen]) and np.allclose(known["landmarks"], row["landmarks"][chosen])
    assert known["score"] == pytest.approx(row["scores"][chosen]) and known["identity"] == "ada"


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_stopped_in_the_middle_it_goes_on_and_ends_as_if_left_alone(folder, tmp_path, kind, monkeypatch):
    preprocess(plan(folder, tmp_path / "alone", pack=kind), "cpu")
    done = []

    def stop(count):
        done.append(count)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(plan(folder, tmp_path / "stopped", pack=kind), "cpu", advance=stop)
    assert {path.name for path in (tmp_path / "stopped").glob("*.*")} == {".facepipe", f"crops-000000.{kind}"}
    first = (tmp_path / "stopped" / f"crops-000000.{kind}").stat().st_mtime_ns
    preprocess(plan(folder, tmp_path / "stopped", pack=kind), "cpu")
    assert (tmp_path / "stopped" / f"crops-000000.{kind}").stat().st_mtime_ns == first
    for path in (tmp_path / "alone").glob("crops-*"):
        assert (tmp_path / "stopped" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["tar", "parquet"])
@pytest.mark.parametrize("torn", [0, 7])
def test_within_a_pack_it_goes_on_in_steps_of_time(folder, tmp_path, kind, torn, monkeypatch):
    """What was kept of a begun pack is not read again, whatever a kill left behind it."""
    whole = plan(folder, tmp_path / "alone", pack=kind, pack_size=100)
    preprocess(whole, "cpu")
    monkeypatch.setattr("facepipe.preprocess.processing.STEP_SECONDS", 0.0)
    monkeypatch.setattr("facepipe.pipeline.STEP", 2)
    read = []

    def watched(path, *words, **more):
        read.append(path)
        return read_marked(path, *words, **more)

    monkeypatch.setattr("facepipe.preprocess.processing.read_marked", watched)
    done = []

    def stop(count):
        done.append(count)
        if len(done) in (2, 4):
            raise KeyboardInterrupt

    wanted = replace(whole, out=tmp_path / "stopped")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            preprocess(wanted, "cpu", advance=stop)
        (begun,) = (tmp_path / "stopped" / ".facepipe").glob("begun*")
        begun.write_bytes(begun.read_bytes() + b'{"records":[{"path"'[:torn])
    before = len(set(read))
    read.clear()
    preprocess(wanted, "cpu")
    assert before >= 6 and 0 < len(read) <= 11 - 6
    assert not list((tmp_path / "stopped" / ".facepipe").glob("begun*"))
    for path in (tmp_path / "alone").glob("crops-*"):
        assert (tmp_path / "stopped" / path.name).read_bytes() == path.read_bytes()
    ours, theirs = (rows_of(tmp_path / name / "manifest.parquet") for name in ("alone", "stopped"))
    assert list(ours) == list(theirs)


def test_a_begun_pack_of_other_images_is_forgotten(folder, tmp_path):
    mark = Mark(3, 4)
    begun = BegunPack(tmp_path / "begun", "p.tar", 0.0)
    assert begun.open([]) == [] and begun.add("a/1.jpg", b"one", {}) == "p.tar/a/1.jpg"
    begun.keep([{"path": "a/1.png", "mark": [3, 4, "x"]}])
    again = BegunPack(tmp_path / "begun", "p.tar", 0.0)
    assert [record["path"] for record in again.open([Listed("a/1.png", "a/1", mark)])] == ["a/1.png"]
    assert again.open([Listed("a/1.png", "a/1", Mark(3, 5))]) == [] and (tmp_path / "begun").stat().st_size == 0


def test_shards_of_a_job_make_the_packs_of_one(folder, tmp_path):
    preprocess(plan(folder, tmp_path / "alone", pack="tar"), "cpu")
    for part in (2, 1):
        preprocess(plan(folder, tmp_path / "parts", pack="tar", shard=(part, 2)), "cpu")
    for path in (tmp_path / "alone").glob("crops-*"):
        assert (tmp_path / "parts" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("stored", [False, True])
def test_merged_shards_are_the_job_of_one_row_for_row(folder, tmp_path, memory, stored):
    alone = preprocess(plan(folder, tmp_path / "alone", pack="tar"), "cpu")
    where = as_path("memory://parts") if stored else tmp_path / "parts"
    for part in (3, 1):
        preprocess(plan(folder, where, pack="tar", shard=(part, 3)), "cpu")
    with pytest.raises(DatasetError, match=r"1 of 3 shards not finished \(2\)"):
        merge_shards(where)
    preprocess(plan(folder, where, pack="tar", shard=(2, 3)), "cpu")
    report = merge_shards(where)
    assert list(rows_of(report.manifest)) == list(rows_of(alone.manifest))
    assert about_of(report.manifest) == about_of(alone.manifest)
    assert (report.total, report.statuses, report.crops) == (alone.total, alone.statuses, alone.crops)
    assert report.skipped.read_bytes() == alone.skipped.read_bytes()
    left = {str(path).rpartition("/")[2] for path in (memory.store if stored else where.glob("*.*"))}
    assert not any("-of-" in name for name in left) and "manifest.parquet" in left
    with pytest.raises(DatasetError, match="no manifests of shards"):
        merge_shards(where)
    # A shard that is run again leaves no two manifests of its images.
    preprocess(plan(folder, where, pack="tar", shard=(2, 3)), "cpu")
    assert not (where / "manifest.parquet").exists()
    done = run("preprocess", folder, str(where), "--merge")
    assert done.code == 2 and "2 of 3 shards not finished (1, 3)" in done.err


def test_shards_of_different_lists_or_settings_are_not_merged(folder, tmp_path):
    out = tmp_path / "parts"
    preprocess(plan(folder, out, shard=(1, 2)), "cpu")
    preprocess(plan(folder, tmp_path / "other", shard=(2, 2), quality=80), "cpu")
    shutil.copy(tmp_path / "other" / "manifest-00002-of-00002.parquet", out)
    with pytest.raises(DatasetError, match=r"00002-of-00002\.parquet: made with a different quality"):
        merge_shards(out)
    (folder / "person00" / "new.png").write_bytes(encoded(crop(0, 9, (112, 112))))
    preprocess(plan(folder, tmp_path / "later", shard=(2, 2)), "cpu")
    shutil.copy(tmp_path / "later" / "manifest-00002-of-00002.parquet", out)
    with pytest.raises(DatasetError, match="made with a different list of images"):
        merge_shards(out)


def test_packs_go_to_a_store(folder, tmp_path, memory):
    preprocess(plan(folder, tmp_path / "alone", pack="tar"), "cpu")
    where = as_path("memory://crops")
    report = preprocess(plan(folder, where, pack="tar"), "cpu")
    packs = [f"/crops/crops-00000{n}.tar" for n in range(3)]
    assert sorted(memory.store) == [*packs, "/crops/manifest.parquet", "/crops/skipped.csv"]
    for path in (tmp_path / "alone").glob("crops-*"):
        assert memory.cat_file(f"/crops/{path.name}") == path.read_bytes()
    assert str(report.manifest) == "memory://crops/manifest.parquet" and report.crops == 10
    counted = []
    preprocess(plan(folder, where, pack="tar"), "cpu", begun=lambda *numbers: counted.append(numbers))
    assert counted == [(11, 11)]
    assert len(open_samples(["memory://crops"])) == 10
    # From a store to a store.
    again = preprocess(plan(where, as_path("memory://again"), pack="parquet"), "cpu")
    assert again.statuses == {"aligned": 10} and again.passed_over["other file"]["count"] == 2


def test_what_somebody_else_packed_is_kept(folder, tmp_path, memory, monkeypatch):
    where = as_path("memory://crops")
    memory.pipe_file("/crops/crops-000007.tar", b"theirs")
    with pytest.raises(OutputError, match=r"crops-000007\.tar: exists already"):
        preprocess(plan(folder, where, pack="tar"), "cpu")
    assert memory.cat_file("/crops/crops-000007.tar") == b"theirs"
    preprocess(plan(folder, where, pack="tar"), "cpu", overwrite=True)
    assert "/crops/crops-000007.tar" not in memory.store and "/crops/crops-000002.tar" in memory.store


def test_packs_that_are_gone_are_not_taken_for_done(folder, memory):
    where = as_path("memory://crops")
    preprocess(plan(folder, where, pack="tar"), "cpu")
    memory.rm_file("/crops/crops-000001.tar")
    with pytest.raises(DatasetError, match=r"not found: 1 of the 3 packs of this job \(crops-000001\.tar\)"):
        preprocess(plan(folder, where, pack="tar"), "cpu")
    with pytest.raises(DatasetError, match=r"^memory://crops: begun with pack_size 4, now 5"):
        preprocess(Plan(folder, where, detection=None, pack="tar", pack_size=5), "cpu")
    assert preprocess(plan(folder, where, pack="tar"), "cpu", overwrite=True).crops == 10


def test_a_packed_job_takes_up_nothing_new(folder, tmp_path):
    wanted = plan(folder, tmp_path / "packs", pack="tar")
    preprocess(wanted, "cpu")
    (folder / "person00" / "new.png").write_bytes(encoded(crop(0, 9, (112, 112))))
    with pytest.raises(DatasetError, match=r"1 new since this sharded or packed job was begun"):
        preprocess(wanted, "cpu")
    assert preprocess(wanted, "cpu", frozen=True).total == 11
    assert preprocess(wanted, "cpu", overwrite=True).total == 12
    with pytest.raises(DatasetError, match="begun with pack"):
        preprocess(plan(folder, tmp_path / "packs", pack="parquet"), "cpu")


def test_the_command_line_packs(folder, tmp_path, memory):
    done = run("preprocess", folder, "memory://out", "--already-aligned", "--pack", "tar", "--pack-size", "5", "--json")
    assert done.json["crops"] == 10 and done.json["manifest"] == "memory://out/manifest.parquet"
    assert {f"/out/crops-00000{n}.tar" for n in range(3)} < set(memory.store)
    loose = run("preprocess", folder, "memory://loose", "--already-aligned")
    assert loose.code == 2 and "in packs; use --pack tar" in loose.err
    sized = run("preprocess", folder, tmp_path / "x", "--pack-size", "5")
    assert sized.code == 2 and "--pack-size needs --pack tar" in sized.err
