"""A job that is cut off goes on: killed, with a torn journal, on a full disk, started twice."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from facepipe.detection import preset
from facepipe.errors import DatasetError
from facepipe.images import write_rgb
from facepipe.preprocess import Plan, packs, preprocess, processing, read_manifest
from facepipe.preprocess import plan as plan_module
from facepipe.preprocess.journal import Journal, check_settings

IMAGES, UNIT = 42, 4


@pytest.fixture(scope="module")
def raw(tmp_path_factory, astronaut):
    """Faces in several sizes, some of them turned or damaged, in folders of five."""
    root = tmp_path_factory.mktemp("raw")
    for number in range(IMAGES):
        side = 96 + 16 * (number % 4)
        image = np.roll(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA), number, axis=1)
        path = root / f"person {number // 5}" / f"{number}.png"
        write_rgb(path, image if number % 7 else image[::-1])
        if number % 11 == 3:
            path.write_bytes(path.read_bytes()[:2000])
    return root


def plan(raw, out):
    return Plan(raw, out, detection=preset("fast"))


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT", UNIT)


def outcome(out):
    """All that a user sees: crops, manifest rows, list of skipped images."""
    files = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.jpg")}
    return files, list(read_manifest(out)), (out / "skipped.csv").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(raw, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "UNIT", UNIT)
        out = tmp_path_factory.mktemp("undisturbed")
        preprocess(plan(raw, out), "cpu")
        return out, outcome(out)


def journal(out):
    return out / ".facepipe" / "journal.jsonl"


def closed(out):
    """Closed units of a job, and the crops in them."""
    units, crops, pending = 0, [], []
    for line in journal(out).read_bytes().split(b"\n")[:-1] if journal(out).exists() else []:
        record = json.loads(line)
        if "part" in record:
            continue
        if "closed" in record:
            units, crops, pending = units + 1, crops + pending, []
        else:
            pending += [out / crop for crop in record["crops"]]
    return units, crops


class Zygote:
    """Children of one process that has imported everything."""

    def __enter__(self):
        script = Path(__file__).parents[1] / "preprocess_zygote.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def start(self, raw, out, largest=0):
        """Begin the job; returns the child's process id."""
        line = json.dumps({"raw": str(raw), "out": str(out), "largest": largest})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        """Wait for the child; returns its return code, minus the signal that killed it."""
        return int(self.process.stdout.readline())


posix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


@pytest.mark.slow
@posix
def test_killed_three_times_it_ends_as_if_left_alone(raw, undisturbed, tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    # Well before the end, so that on a fast machine too the job is at work when it is killed.
    goals = sorted(chance.sample(range(1, IMAGES // 2), 3))
    finished = {}
    with Zygote() as zygote:
        for goal in goals:
            child = zygote.start(raw, tmp_path)
            while sum(1 for _ in tmp_path.rglob("*.jpg")) < goal and closed(tmp_path)[0] < IMAGES // UNIT:
                time.sleep(0.002)
            time.sleep(chance.random() * 0.02)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pytest.fail(f"seed {seed}: the job ended before it was killed")
            assert zygote.end() == -signal.SIGKILL, f"seed {seed}"
            assert not (tmp_path / "manifest.parquet").exists(), f"seed {seed}"
            for crop, written in finished.items():
                assert crop.stat().st_mtime_ns == written, f"seed {seed}: {crop} was made again"
            finished = {crop: crop.stat().st_mtime_ns for crop in closed(tmp_path)[1]}
        zygote.start(raw, tmp_path)
        assert zygote.end() == 0
    assert finished and {crop: crop.stat().st_mtime_ns for crop in finished} == finished
    assert outcome(tmp_path) == undisturbed[1], f"seed {seed}"


@pytest.mark.slow
@posix
def test_a_full_disk_in_the_middle_of_the_journal(raw, undisturbed, tmp_path):
    """The system takes part of a write and refuses the rest, as it does where a disk is full."""
    limit = journal(undisturbed[0]).stat().st_size * 2 // 3
    assert max(len(data) for data in undisturbed[1][0].values()) < limit
    with Zygote() as zygote:
        zygote.start(raw, tmp_path, limit)
        assert zygote.end() == errno.EFBIG
        units = closed(tmp_path)[0]
        assert 2 < units < IMAGES // UNIT
        # What did not fit left no trace.
        kept = journal(tmp_path).read_bytes()
        assert kept.endswith(b'{"closed":true}\n') and journal(undisturbed[0]).read_bytes().startswith(kept)
        zygote.start(raw, tmp_path)
        assert zygote.end() == 0
    assert outcome(tmp_path) == undisturbed[1]


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.31, 0.5, 0.77, 0.999])
def test_a_journal_torn_anywhere(raw, undisturbed, tmp_path, share):
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    (out / "manifest.parquet").unlink()
    data = journal(out).read_bytes()
    journal(out).write_bytes(data[: int(share * len(data))])
    units, crops = closed(out)
    before = {crop: crop.stat().st_mtime_ns for crop in crops}
    for crop in set(out.rglob("*.jpg")) - set(crops):
        crop.write_bytes(b"half a cr")
    begun = []
    preprocess(plan(raw, out), "cpu", begun=lambda total, done: begun.append((total, done)))
    assert begun == [(IMAGES, units * UNIT)]
    assert {crop: crop.stat().st_mtime_ns for crop in before} == before
    assert outcome(out) == undisturbed[1]
    assert journal(out).read_bytes() == data


@pytest.mark.slow
def test_no_room_for_a_crop(raw, undisturbed, tmp_path, monkeypatch):
    real, left = packs.write_bytes, iter(range(10))

    def write(path, data):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, data)

    monkeypatch.setattr(packs, "write_bytes", write)
    with pytest.raises(OSError, match="No space left"):
        preprocess(plan(raw, tmp_path), "cpu")
    units, crops = closed(tmp_path)
    assert 0 < units < IMAGES // UNIT and len(crops) <= 10
    assert not (tmp_path / "manifest.parquet").exists()
    monkeypatch.setattr(packs, "write_bytes", real)
    preprocess(plan(raw, tmp_path), "cpu")
    assert outcome(tmp_path) == undisturbed[1]


def test_no_room_for_the_journal(raw, undisturbed, tmp_path, monkeypatch):
    calls = iter(range(3))

    def fsync(number):
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("facepipe.preprocess.journal.os.fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        preprocess(plan(raw, tmp_path), "cpu")
    assert closed(tmp_path)[0] == 3
    monkeypatch.undo()
    monkeypatch.setattr(plan_module, "UNIT", UNIT)
    preprocess(plan(raw, tmp_path), "cpu")
    assert outcome(tmp_path) == undisturbed[1]


def test_interrupted_by_the_user(raw, undisturbed, tmp_path):
    steps = []

    def interrupt(count):
        steps.append(count)
        if len(steps) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(plan(raw, tmp_path), "cpu", advance=interrupt)
    assert closed(tmp_path)[0] == 4
    preprocess(plan(raw, tmp_path), "cpu")
    assert outcome(tmp_path) == undisturbed[1]


def test_a_job_that_runs_already_is_left_alone(raw, tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / ".facepipe").mkdir()
    other = Journal(journal(tmp_path))
    assert other.open() == 0
    try:
        with pytest.raises(DatasetError, match="another process is running this job"):
            preprocess(plan(raw, tmp_path), "cpu")
        other.append([{"crops": []}])
        assert closed(tmp_path)[0] == 1
    finally:
        other.close()


def test_damaged_settings_say_how_to_start_over(raw, tmp_path):
    (tmp_path / ".facepipe").mkdir()
    (tmp_path / ".facepipe" / "settings.json").write_text('{"root": ')
    with pytest.raises(DatasetError, match=r"settings\.json: damaged; remove .*\.facepipe to start over"):
        preprocess(plan(raw, tmp_path), "cpu")


def test_images_that_came_later_do_not_shift_the_list(raw, undisturbed, tmp_path):
    """Cut off, then an image that sorts first appears: frozen, the job goes on with the list it made."""
    root = tmp_path / "raw"
    shutil.copytree(raw, root)

    def interrupt(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(plan(root, tmp_path / "out"), "cpu", advance=interrupt)
    shutil.copy(root / "person 0" / "0.png", root / "person 0" / "-.png")
    preprocess(plan(root, tmp_path / "out"), "cpu", frozen=True)
    assert outcome(tmp_path / "out") == undisturbed[1]
    report = preprocess(plan(root, tmp_path / "out"), "cpu")
    assert report.total == IMAGES + 1 and report.changes["new"] == 1


def test_journal_alone(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    first = Journal(path)
    assert list(first.records()) == [] and first.open() == 0
    first.append([{"path": "é\udce9"}, {"path": "b"}])
    first.append([])
    first.close()
    first.close()
    with path.open("ab") as file:
        file.write(b'{"path":"lost"}\n{"closed":tr')
    second = Journal(path)
    assert [record["path"] for record in second.records()] == ["é\udce9", "b"]
    assert second.open() == 2
    second.append([{"path": "c"}])
    second.close()
    assert [record["path"] for record in second.records()] == ["é\udce9", "b", "c"]
    assert b"lost" not in path.read_bytes() and path.read_bytes().count(b"closed") == 3


def test_steps_of_time_within_a_unit(raw, undisturbed, tmp_path, monkeypatch):
    """Cut off in the midst of a unit, a job goes on behind the last batch that was kept, and ends all the same."""
    from functools import partial

    from facepipe.pipeline import read_batches

    monkeypatch.setattr(plan_module, "UNIT", IMAGES)
    monkeypatch.setattr(processing, "read_batches", partial(read_batches, max_images=UNIT))
    monkeypatch.setattr(processing, "STEP_SECONDS", 0.0)
    done = []

    def advance(count):
        done.append(count)
        if len(done) in (3, 5):
            raise KeyboardInterrupt

    counts = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            preprocess(plan(raw, tmp_path), "cpu", begun=lambda *both: counts.append(both), advance=advance)
    preprocess(plan(raw, tmp_path), "cpu", begun=lambda *both: counts.append(both), advance=advance)
    assert counts == [(IMAGES, 0), (IMAGES, 3 * UNIT), (IMAGES, 5 * UNIT)]
    assert sum(done) == IMAGES, "no image was done twice"
    assert outcome(tmp_path) == undisturbed[1]
    assert closed(tmp_path)[0] == 1


def test_what_is_kept_of_a_unit(tmp_path):
    first = Journal(tmp_path / "journal.jsonl")
    assert (first.open(), first.begun()) == (0, 0)
    first.append([{"path": "a"}])
    first.append([{"path": "b"}, {"path": "c"}], closes=False)
    first.append([{"path": "d"}], closes=False)
    assert first.begun() == 3
    first.close()
    with first.path.open("ab") as file:
        file.write(b'{"path":"e"}\n{"pa')
    again = Journal(tmp_path / "journal.jsonl")
    assert (again.open(), again.begun()) == (1, 3)
    assert [record["path"] for record in again.records()] == ["a", "b", "c", "d"]
    again.append([{"path": "e"}])
    assert (again.closed(), again.begun()) == (2, 0)
    again.close()


def test_a_job_begun_under_former_names_of_settings_continues(tmp_path):
    """``confident_score`` was called ``sure``."""
    job = Plan(tmp_path / "raw", tmp_path / "out", detection=preset())
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(job.settings()).replace('"confident_score"', '"sure"'))
    assert '"sure"' in file.read_text() and check_settings(file, job.settings())
