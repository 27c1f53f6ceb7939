"""How long compare takes on a busy machine: on all cores, on one, and in a control group limited to one core's time.

    python benchmarks/busy.py A.jpg B.jpg [--rounds 5] [--busy 0 1 2] [--json]

A busy program is a loop that never waits. Each runs in its own process, as does the comparison, all under one limit:

- ``all cores``: none;
- ``one core``: all are pinned to a single core, so that with n busy programs a fair share is 1/(n + 1);
- ``one core's time``: a control group with the quota of one core on all cores (the system divides it: programs on
  different cores can use it up at once, so a share may be less than 1/(n + 1)). It needs permission to create a control
  group; without it, this case is skipped with a note.

All cases take turns in every round. The output has the median wall time in seconds, and its ratio to the time without
busy programs under the same limit.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_LOOP = "while True: pass"
_PERIOD = 100_000
"""Period of a control group's quota in microseconds, the usual default."""

Enter = Callable[[], None]
"""Called in a new process before its program starts."""


@contextmanager
def control_group() -> Iterator[Enter | None]:
    """A group limited to one core's time, in either version of control groups; None if none can be created."""
    name = f"facepipe-busy-{os.getpid()}"
    of_one = {"cpu.cfs_period_us": f"{_PERIOD}", "cpu.cfs_quota_us": f"{_PERIOD}"}
    first = _made(Path("/sys/fs/cgroup/cpu") / name, of_one)
    group = first or _made(Path("/sys/fs/cgroup") / name, {"cpu.max": f"{_PERIOD} {_PERIOD}"})
    try:
        yield None if group is None else lambda: _join(group)
    finally:
        if group is not None:
            group.rmdir()


def _made(group: Path, settings: dict[str, str]) -> Path | None:
    """The group with these settings, if this system permits it."""
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        # In a folder that is not a control group, these would be created as ordinary files.
        if all((group / file).exists() for file in settings):
            for file, value in settings.items():
                (group / file).write_text(value, encoding="ascii")
            return group
    except OSError:
        pass
    group.rmdir()
    return None


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextmanager
def busy_programs(count: int, enter: Enter) -> Iterator[None]:
    """Run this many loops that never wait."""
    programs = [subprocess.Popen([sys.executable, "-c", _LOOP], preexec_fn=enter) for _ in range(count)]
    try:
        time.sleep(0.2)
        yield
    finally:
        for program in programs:
            program.send_signal(signal.SIGKILL)
            program.wait()


def seconds(photos: list[Path], enter: Enter) -> float:
    """Wall time of one comparison in a new process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "facepipe", "compare", *map(str, photos), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=enter)
    return time.perf_counter() - start


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        group = stack.enter_context(control_group())
        limits: dict[str, Enter] = {"all cores": lambda: None, "one core": _one_core}
        if group is None:
            print("no control group could be created: skipped", file=sys.stderr)
        else:
            limits["one core's time"] = group
        cases = [(limit, busy) for limit in limits for busy in sorted({0, *given.busy})]
        seconds(given.photos, limits["all cores"])  # the first run reads files from disk
        taken: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
        for _ in range(given.rounds):
            for limit, busy in cases:
                with busy_programs(busy, limits[limit]):
                    taken[limit, busy].append(seconds(given.photos, limits[limit]))
    middle = {case: statistics.median(times) for case, times in taken.items()}
    told = [
        {"limit": limit, "busy": busy, "seconds": round(middle[limit, busy], 2),
         "times_alone": round(middle[limit, busy] / middle[limit, 0], 2)}
        for limit, busy in cases
    ]  # fmt: skip
    if given.json:
        print(json.dumps({"cores": len(os.sched_getaffinity(0)), "rounds": given.rounds, "cases": told}, indent=2))
        return
    print(f"{len(os.sched_getaffinity(0))} cores, median of {given.rounds} rounds\n")
    print("| limit | busy programs | seconds | times alone |\n|---|---|---|---|")
    for one in told:
        print(f"| {one['limit']} | {one['busy']} | {one['seconds']:.2f} | {one['times_alone']:.2f} |")


if __name__ == "__main__":
    main()
