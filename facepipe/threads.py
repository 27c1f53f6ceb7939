"""How many threads to start, and that idle ones sleep. Loads neither torch nor OpenCV: it has to come before them."""

import math
import os
from pathlib import Path, PurePosixPath

_SLEEP = "OMP_WAIT_POLICY"
_COUNTS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def prepare_threads() -> None:
    """Set the environment from which OpenMP and OpenCV take their manners; what the user has set there stays.

    OpenMP's threads by default spin while they wait for each other. As soon as another program wants one of the
    cores, each waits for the one that was interrupted and keeps the cores busy that it would need: so they sleep.
    Where a container may use fewer cores than it sees, its libraries would start a thread for each that they see;
    the affinity of a process they mind by themselves.

    It reaches libraries that are loaded later, and processes that are started later.
    """
    os.environ.setdefault(_SLEEP, "PASSIVE")
    if limited():
        for name in _COUNTS:
            os.environ.setdefault(name, str(usable_cores()))


def thread_count() -> int:
    """Threads that a pool should have: ``OMP_NUM_THREADS`` where that is set to a number, else `usable_cores`."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) > 0 else usable_cores()


def usable_cores(root: Path = Path("/")) -> int:
    """Cores' worth of time that this process may use: its affinity, and what its control groups allow; at least 1.

    Args:
        root: of the file system that tells of the control groups.
    """
    allowed = min(_quotas(root), default=math.inf)
    return max(1, min(_visible_cores(), math.ceil(min(allowed, 1e6))))


def limited() -> bool:
    """Whether the process may use less than the cores that it sees, which libraries do not notice."""
    return usable_cores() < _visible_cores()


def _visible_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> list[float]:
    """Cores allowed by each group that this process is in and by those above it; a container sees its own as root."""
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
    """Of version 2: ``cpu.max`` holds microseconds allowed, or ``max``, and the period."""
    return _ratio(_words(folder / "cpu.max"))


def _quota_1(folder: Path) -> float | None:
    """Of version 1; -1 stands for no limit."""
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
