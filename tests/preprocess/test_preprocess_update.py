"""A data set that changes between runs: what a second run leaves is what a first run on the same images leaves."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facepipe.errors import DatasetError
from facepipe.files import OutputError
from facepipe.images import read_rgb, write_rgb
from facepipe.preprocess import Plan, preprocess, read_manifest
from facepipe.preprocess import plan as plan_module
from facepipe.preprocess.journal import Journal
from facepipe.preprocess.scan import crop_names


def picture(number):
    return np.random.default_rng(number).integers(0, 255, (112, 112, 3), np.uint8)


def plan(raw, out, **options):
    return Plan(raw, out, detection=None, suffix=".png", **options)


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT", 2)


@pytest.fixture
def raw(tmp_path):
    root = tmp_path / "raw"
    for number in range(7):
        write_rgb(root / f"p{number // 2}" / f"{number}.png", picture(number))
    return root


def outcome(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.png")}, list(read_manifest(out))


def test_new_changed_vanished_touched(raw, tmp_path):
    out = tmp_path / "out"
    assert set(preprocess(plan(raw, out), "cpu").changes.values()) == {0}
    kept = (out / "p1" / "2.png").stat().st_mtime_ns
    write_rgb(raw / "p9" / "new.png", picture(10))
    write_rgb(raw / "p0" / "-.png", picture(11))
    write_rgb(raw / "p0" / "1.png", picture(12))
    shutil.rmtree(raw / "p3")
    os.utime(raw / "p1" / "3.png", ns=(1, 1))
    seen = []
    report = preprocess(plan(raw, out), "cpu", changed=seen.append)
    assert report.changes == {"new": 2, "changed": 1, "vanished": 1, "touched": 1}
    assert seen[0].line() == "2 new, 1 changed, 1 vanished" and report.total == 8
    preprocess(plan(raw, tmp_path / "fresh"), "cpu")
    assert outcome(out) == outcome(tmp_path / "fresh")
    assert not (out / "p3").exists() and (out / "p1" / "2.png").stat().st_mtime_ns == kept
    again = preprocess(plan(raw, out), "cpu", changed=seen.append)
    assert set(again.changes.values()) == {0} and len(seen) == 1


def test_frozen(raw, tmp_path):
    out = tmp_path / "out"
    preprocess(plan(raw, out), "cpu")
    before = outcome(out)
    write_rgb(raw / "p0" / "-.png", picture(11))
    (raw / "p1" / "2.png").unlink()
    assert preprocess(plan(raw, out), "cpu", frozen=True).total == 7
    assert outcome(out) == before


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(["add", "change", "remove", "touch", "cut"]), st.integers(0, 5)), max_size=6)
)
def test_any_history_ends_as_a_first_run(tmp_path_factory, steps):
    tmp_path = tmp_path_factory.mktemp("history")
    raw, out = tmp_path / "raw", tmp_path / "out"
    write_rgb(raw / "always" / "a.png", picture(99))
    for number, (step, which) in enumerate(steps):
        path = raw / f"p{which % 2}" / f"{which}{('.png', '.webp')[which % 2]}"
        if step in ("add", "change"):
            write_rgb(path, picture(number))
        elif step == "remove":
            path.unlink(missing_ok=True)
        elif step == "touch" and path.exists():
            os.utime(path, ns=(number, number))
        stop = iter([None] if step == "cut" else range(10**6))

        def advance(_, stop=stop):
            if next(stop) is None:
                raise KeyboardInterrupt

        try:
            preprocess(plan(raw, out), "cpu", advance=advance)
        except KeyboardInterrupt:
            continue
    preprocess(plan(raw, out), "cpu")
    preprocess(plan(raw, tmp_path / "fresh"), "cpu")
    assert outcome(out) == outcome(tmp_path / "fresh")


def test_all_gone_is_no_reason_to_drop_everything(raw, tmp_path):
    out = tmp_path / "out"
    preprocess(plan(raw, out), "cpu")
    before = outcome(out)
    shutil.rmtree(raw)
    raw.mkdir()
    with pytest.raises(DatasetError, match="contains no images"):
        preprocess(plan(raw, out), "cpu")
    assert outcome(out) == before


def test_shards_do_not_change(raw, tmp_path):
    out = tmp_path / "out"
    for part in (1, 2):
        preprocess(plan(raw, out, shard=(part, 2)), "cpu")
    write_rgb(raw / "p0" / "-.png", picture(11))
    with pytest.raises(DatasetError, match=r"1 new since .* frozen=True"):
        preprocess(plan(raw, out, shard=(1, 2)), "cpu")
    assert preprocess(plan(raw, out, shard=(1, 2)), "cpu", frozen=True).total == 4


def test_crops_that_nobody_made_here_stay(raw, tmp_path):
    out = tmp_path / "out"
    (out / "p0").mkdir(parents=True)
    (out / "p0" / "0.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"0\.png: already exists"):
        preprocess(plan(raw, out), "cpu")
    assert (out / "p0" / "0.png").read_bytes() == b"mine" and not (out / "manifest.parquet").exists()
    (out / "p0" / "0.png").unlink()
    (out / "p0" / "0.png").symlink_to(raw / "p0" / "0.png")
    with pytest.raises(OutputError, match="would replace the input"):
        preprocess(plan(raw, out), "cpu", overwrite=True)
    np.testing.assert_array_equal(read_rgb(raw / "p0" / "0.png"), picture(0))


def test_overwrite_leaves_a_running_job_alone(raw, tmp_path):
    pytest.importorskip("fcntl")
    preprocess(plan(raw, tmp_path / "out"), "cpu")
    running = Journal(tmp_path / "out" / ".facepipe" / "journal.jsonl")
    running.open()
    try:
        with pytest.raises(DatasetError, match="another process"):
            preprocess(plan(raw, tmp_path / "out"), "cpu", overwrite=True)
        assert running.path.exists()
    finally:
        running.close()


@settings(suppress_health_check=list(HealthCheck))
@given(names=st.lists(st.sampled_from(["x.jpg", "x.png", "x.jpg.webp", "X.JPG", "x.jpg.jpg", "y.png"]), unique=True))
def test_crop_names_are_distinct(names):
    made = crop_names([Path("p", name) for name in names])
    assert len(set(made)) == len(names)


def test_three_of_one_stem(tmp_path):
    for name in ("x.jpg", "x.png", "x.jpg.webp"):
        write_rgb(tmp_path / "raw" / "p" / name, picture(1))
    assert preprocess(plan(tmp_path / "raw", tmp_path / "out"), "cpu").crops == 3
    assert len(list((tmp_path / "out").rglob("*.png"))) == 3


def test_an_image_of_the_same_stem_comes_later(tmp_path):
    write_rgb(tmp_path / "raw" / "p" / "x.jpg", picture(1))
    preprocess(plan(tmp_path / "raw", tmp_path / "out"), "cpu")
    write_rgb(tmp_path / "raw" / "p" / "x.png", picture(2))
    preprocess(plan(tmp_path / "raw", tmp_path / "out"), "cpu")
    preprocess(plan(tmp_path / "raw", tmp_path / "fresh"), "cpu")
    assert outcome(tmp_path / "out") == outcome(tmp_path / "fresh")
