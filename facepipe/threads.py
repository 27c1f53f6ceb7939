"""Thread counts and wait policy. Imports neither torch nor OpenCV, since it must run before them."""

import math
import os
from pathlib import Path, PurePosixPath

_SLEEP = "OMP_WAIT_POLICY"
_COUNTS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def prepare_threads() -> None:
    """Set environment variables for OpenMP and OpenCV; values that the user has set are kept.

    By default OpenMP's threads spin while waiting for each other. As soon as another program needs one of the
    cores, all wait for the interrupted thread and keep busy the cores it needs; so they are made to sleep.
    In a container limited to fewer cores than are visible, libraries would start a thread for each visible core;
    a process's affinity they respect already.

    Affects libraries loaded and processes started afterwards.
    """
    os.environ.setdefault(_SLEEP, "PASSIVE")
    if limited():
        for name in _COUNTS:
            os.environ.setdefault(name, str(usable_cores()))


def thread_count() -> int:
    """Size of a thread pool: ``OMP_NUM_THREADS`` if set to a number, else `usable_cores`."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(value) if value.isdecimal() and int(value) > 0 else usable_cores()


def usable_cores(root: Path = Path("/")) -> int:
    """Number of cores that this process may use, by its affinity and cgroup limits; at least 1.

    Args:
        root: root of the file system with the cgroup files.
    """
    allowed = min(_quotas(root), default=math.inf)
    return max(1, min(_visible_cores(), math.ceil(min(allowed, 1e6))))


def limited() -> bool:
    """Whether cgroups allow fewer cores than are visible, which libraries do not notice."""
    return usable_cores() < _visible_cores()


def _visible_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> list[float]:
    """Cores allowed by each cgroup of this process and its parents; a container sees its own as the root."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        relative = PurePosixPath(group.lstrip("/"))
        for inside in (relative, *relative.parents):
            if not controllers:
                found += [_quota_2(root / mount / inside) for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified")]
            elif "cpu" in controllers.split(","):
                found.append(_quota_1(root / "sys/fs/cgroup" / controllers / inside))
                found.append(_quota_1(root / "sys/fs/cgroup/cpu" / inside))
    return [quota for quota in found if quota is not None]


def _quota_2(folder: Path) -> float | None:
    """Limit in cgroup v2: ``cpu.max`` holds the allowed microseconds, or ``max``, and the period."""
    return _ratio(_words(folder / "cpu.max"))


def _quota_1(folder: Path) -> float | None:
    """Limit in cgroup v1; -1 means no limit."""
    return _ratio(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _ratio(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[0]) * int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])
