"""Threads by the cores that a process may use, told to sleep while they wait before anything starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facepipe import threads
from facepipe.threads import prepare_threads, thread_count, usable_cores

pytestmark = pytest.mark.slow


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(threads, "_visible_cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENCV_FOR_THREADS_NUM"):
        monkeypatch.delenv(name, raising=False)


def system(root: Path, groups: str, **files: str) -> Path:
    """A file system that has these lines in /proc/self/cgroup, and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1 = "5:memory:/job\n4:cpuset:/job\n3:cpu,cpuacct:/job\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 8),
        # A limit of a group above holds too, whether or not the group itself can be seen.
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/docker/abc\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/x\n", {"unified/x/cpu.max": "200000 50000\n"}, 4),
        (V1, {"cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "25000\n"}, 2),
        (V1, {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 8),
        (V1, {"cpu/job/cpu.cfs_quota_us": "100000\n", "cpu/job/cpu.cfs_period_us": "0\n"}, 8),
        # The limit of a controller that is not the processor's.
        ("4:cpuset:/\n", {"cpuset/cpu.cfs_quota_us": "1\n", "cpuset/cpu.cfs_period_us": "1\n"}, 8),
    ],
)
def test_limits_of_control_groups(eight_cores, tmp_path, groups, files, cores):
    assert usable_cores(system(tmp_path, groups, **files)) == cores


def test_a_system_without_control_groups(eight_cores, tmp_path):
    assert usable_cores(tmp_path) == 8


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_affinity_counts():
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}}); from facepipe.threads import usable_cores as c; print(c())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_the_user_decides(eight_cores, monkeypatch):
    assert thread_count() == usable_cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    assert thread_count() == 3
    prepare_threads()
    assert os.environ["OMP_NUM_THREADS"] == "3" and os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ.pop("OPENCV_FOR_THREADS_NUM") == "2"


@pytest.mark.parametrize("nonsense", ["", "many", "0", "-2"])
def test_a_count_that_is_none(eight_cores, monkeypatch, nonsense):
    monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
    monkeypatch.setattr(threads, "usable_cores", lambda: 5)
    assert thread_count() == 5


def test_counts_are_set_only_below_the_cores_that_libraries_see(eight_cores, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {})
        patch.setattr(threads, "usable_cores", lambda: 8)
        prepare_threads()
        assert os.environ == {"OMP_WAIT_POLICY": "PASSIVE"}
        patch.setattr(threads, "usable_cores", lambda: 2)
        prepare_threads()
        assert os.environ == {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "2", "OPENCV_FOR_THREADS_NUM": "2"}


@pytest.mark.parametrize(("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_openmp_is_told_before_torch_loads_it(given, expected):
    """OpenMP itself says what it was told, and the process's children inherit it."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import facepipe, torch, os; print(os.environ['OMP_WAIT_POLICY'], end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=environment | given | {"OMP_DISPLAY_ENV": "TRUE"},
    )  # fmt: skip
    assert done.stdout == expected
    said = [line for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    # A build of torch on another OpenMP, or on none, says nothing.
    assert all(expected in line for line in said)
