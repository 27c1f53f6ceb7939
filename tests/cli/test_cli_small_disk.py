"""Every writer on a real disk of a megabyte that is full: one line, exit code 2, and the old file stays."""

import os
import shutil
import subprocess
import sys

import pytest
from cli_run import run
from test_cli_full_disk import CELLS, cases, good, line_of, stand_ins  # noqa: F401

pytestmark = pytest.mark.slow
PAGE = 4096


@pytest.fixture
def disk(tmp_path):
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounts a tmpfs, which takes Linux and root")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk):
    with (disk / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(PAGE))
    assert os.statvfs(disk).f_bavail == 0


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "parameter"), CELLS)
def test_a_disk_of_a_megabyte(disk, good, cases, name, parameter, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FACEPIPE_CACHE", str(disk / "cache"))
    line, target = line_of(name, parameter, good, disk, cases)
    if target.name == "mine.parquet":
        shutil.copy(good / ("g.parquet" if parameter == "gallery" else "e.parquet"), target)
    elif target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"mine")
    fill(disk)
    before = contents(disk)
    ended = run(*line)
    assert ended.code == 2, ended
    (last,) = [each for each in ended.err.splitlines() if each.startswith("facepipe: ")]
    assert any(told in last for told in ("No space", "full", "could not", "cannot be written")), last
    after = contents(disk)
    assert {path: after.get(path) for path in before} == before
    assert not [path for path in after if path.suffix == ".tmp"]
