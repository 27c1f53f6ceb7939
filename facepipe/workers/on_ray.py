"""Ray: actors on this machine or a cluster that load their tools once and work off units."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from facepipe.errors import FacepipeError, MissingExtraError
from facepipe.parameters import parameter

A = TypeVar("A")
B = TypeVar("B")

TRIES = 3
"""How often a unit is given to a worker again whose process has died, before the work ends."""

_QUEUED = 2
"""Units at a worker, so that it need not wait for the next one."""
_AHEAD = 4
"""Units for each worker that may be done before an earlier one is."""
_STORE = 256 << 20
"""Bytes of shared memory that a Ray started here sets aside; results are small."""
_LOCAL = "local"


class WorkerError(FacepipeError):
    """Workers cannot be had, or die over a unit of work."""


@dataclass(frozen=True)
class OnRay:
    """Where units are worked off.

    Attributes:
        address: of a cluster, as `ray.init` takes it (``HOST:PORT``, ``auto``, ``ray://HOST:PORT``); empty for the one
            that the environment variable RAY_ADDRESS names or, without it, for a Ray started on this machine and ended
            with the work.
        workers: how many; 0 for one on each GPU where the device is one, else on each core that Ray may use.
        cores: of each worker on a CPU.
        note: told of workers that died and were replaced.
    """

    address: str = ""
    workers: int = 0
    cores: int = 1
    note: Callable[[str], None] = field(default=lambda _: None, repr=False)

    def map(
        self,
        make: Callable[[], Callable[[A], B]],
        units: Iterable[A],
        device: str = "auto",
        name: Callable[[A], str] = str,
    ) -> Iterator[B]:
        """``[make()(unit) for unit in units]``, in order, each worker having called ``make`` once.

        Units are taken from the iterable only as they are needed, and few results wait at a time. A worker that dies is
        started anew and its units are done again, `TRIES` times each.

        Args:
            make: gives what does a unit; it and the units are pickled.
            units: what is to be done.
            device: of the work: for ``cuda``, and for ``auto`` where there are GPUs, each worker has a GPU to itself.
            name: of a unit, for errors.

        Raises:
            MissingExtraError: Ray is not installed.
            WorkerError: there is no such cluster, no room in it, or a unit at which workers die.
            FacepipeError, OSError: what the work itself raises.
        """
        ray = _import_ray()
        mine = _connect(ray, self.address)
        actors: list[Any] = []
        try:
            count, options = self._room(ray, device)
            recipe = [ray.put(make)]  # in a list, since Ray would fetch a bare reference for each unit
            threads = int(options["num_cpus"])
            kind = ray.remote(max_restarts=-1, max_task_retries=TRIES, **options)(_Worker)
            actors = [kind.remote(threads, str(Path.cwd())) for _ in range(count)]
            runs = [partial(actor.run.remote, recipe) for actor in actors]
            yield from _in_order(ray, runs, units, name, self.note)
        finally:
            for actor in actors:
                with suppress(Exception):  # of a cluster that has gone
                    ray.kill(actor)
            if mine:
                ray.shutdown()

    def _room(self, ray: Any, device: str) -> tuple[int, dict[str, int]]:
        """How many workers, and what each takes of the cluster."""
        there = ray.cluster_resources()
        cpus, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
        if device.startswith("cuda") and not gpus:
            raise WorkerError(
                f"{parameter('device', device)}: no machine of the Ray cluster has a GPU; "
                f"use {parameter('device', 'cpu')}"
            )
        if gpus and device.split(":")[0] in ("auto", "cuda"):
            fit, options = gpus, {"num_cpus": max(1, cpus // gpus), "num_gpus": 1}
        else:
            fit, options = cpus // self.cores, {"num_cpus": self.cores}
        count = self.workers or fit
        if not fit or count > fit:
            raise WorkerError(
                f"{parameter('workers', count or 1)}: Ray has room for {fit} here ({cpus} cores, "
                f"{gpus} GPUs); ask for fewer"
            )
        return count, options


def _import_ray() -> Any:
    # Where this program runs and on what is nobody else's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(f"{parameter('on', 'ray')} needs Ray: pip install 'facepipe[ray]'") from error
    return ray


def _connect(ray: Any, address: str) -> bool:
    """Join a cluster, or start one here; returns whether it is to be left afterwards."""
    if ray.is_initialized():
        return False
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    where = address or os.environ.get("RAY_ADDRESS", "") or _LOCAL
    try:
        if where == _LOCAL:
            from facepipe.threads import thread_count

            ray.init(_LOCAL, num_cpus=thread_count(), object_store_memory=_STORE, **quiet)
        else:
            ray.init(where, **{key: value for key, value in quiet.items() if key != "include_dashboard"})
    except Exception as error:  # Ray raises errors of many kinds here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise WorkerError(
            f"{parameter('on', 'ray')}: Ray at {where} cannot be reached or started "
            f"({reason})"
        ) from error
    _silence(ray)
    return True


def _silence(ray: Any) -> None:
    """Keep Ray from printing on stdout, which is for data, what befalls workers: `OnRay.note` tells it."""
    ray._private.worker.print_worker_logs = lambda *_, **__: None


class _Worker:
    """An actor: loads its tools with the first unit, so that what goes wrong then reaches the caller."""

    def __init__(self, threads: int, folder: str) -> None:
        with suppress(OSError):  # a machine that does not see it; paths that are absolute do without
            os.chdir(folder)
        self._threads = threads
        self._work: Callable[[Any], Any] | None = None
        self._replaced = False

    def run(self, recipe: list[Any], unit: Any) -> tuple[int, bool, Any]:
        """The number of this process, whether it stands in for one that died, and the result."""
        if self._work is None:
            ray = _import_ray()
            self._replaced = bool(ray.get_runtime_context().was_current_actor_reconstructed)
            self._work = ray.get(recipe[0])()
            _use_threads(self._threads)
        return os.getpid(), self._replaced, self._work(unit)


def _use_threads(count: int) -> None:
    for name, call in (("torch", "set_num_threads"), ("cv2", "setNumThreads")):
        if name in sys.modules:  # work that has not loaded it does not need it
            getattr(sys.modules[name], call)(count)


def _in_order(
    ray: Any,
    runs: Sequence[Callable[[Any], Any]],
    units: Iterable[A],
    name: Callable[[A], str],
    note: Callable[[str], None],
) -> Iterator[Any]:
    """Results in the order of the units; bounded numbers of units are at workers and of results are waiting."""
    remaining = enumerate(units)
    at: dict[Any, tuple[int, int, str]] = {}  # future → unit, worker and name
    load = [0] * len(runs)
    lives = _Lives(note)
    done: dict[int, Any] = {}
    given = delivered = 0
    while True:
        room = min(_QUEUED * len(runs) - len(at), _AHEAD * len(runs) - (given - delivered))
        for number, unit in islice(remaining, max(0, room)):
            worker = load.index(min(load))
            load[worker] += 1
            given += 1
            at[runs[worker](unit)] = number, worker, name(unit)
        if not at:
            return
        for future in ray.wait(list(at), num_returns=1)[0]:
            number, worker, called = at.pop(future)
            load[worker] -= 1
            process, replaced, done[number] = _result(ray, future, called)
            lives.see(worker, process, replaced)
        while delivered in done:
            yield done.pop(delivered)
            delivered += 1


def _result(ray: Any, future: Any, called: str) -> tuple[int, bool, Any]:
    try:
        process, replaced, result = ray.get(future)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, FacepipeError | OSError):
            raise cause from None
        raise
    except ray.exceptions.RayError as error:
        raise WorkerError(
            f"{called}: workers died {TRIES + 1} times over this and the images after it (for want of memory, or by a "
            f"fault in a library?); "
            f"leave the image out, or give each worker more memory with a smaller {parameter('workers')}"
        ) from error
    return int(process), bool(replaced), result


class _Lives:
    """Which process each worker was last seen as."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._processes: dict[int, int] = {}

    def see(self, worker: int, process: int, replaced: bool) -> None:
        """Tell of a worker that is another process than before, or stands in for one that died over its first unit."""
        before = self._processes.get(worker)
        self._processes[worker] = process
        if before != process and (before is not None or replaced):
            which = "" if before is None else f" (process {before})"
            self._note(f"worker {worker + 1} died{which} and was replaced; its images were done again")
