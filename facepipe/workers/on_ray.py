"""Ray actors, on this machine or a cluster, that set up once and process units of work."""

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
"""How often a unit is retried after its worker's process died, before giving up."""

_QUEUED = 2
"""Units queued at a worker, so that it need not wait for the next one."""
_AHEAD = 4
"""Units per worker that may finish before an earlier one."""
_STORE = 256 << 20
"""Bytes of shared memory for a Ray instance started here; results are small."""
_LOCAL = "local"


class WorkerError(FacepipeError):
    """Workers cannot be started, or die on a unit of work."""


@dataclass(frozen=True)
class OnRay:
    """A pool of workers on Ray.

    Attributes:
        address: of a cluster, as for `ray.init` (``HOST:PORT``, ``auto``, ``ray://HOST:PORT``); empty for the one in
            the environment variable RAY_ADDRESS or, without it, for a Ray instance started on this machine and stopped
            after the work.
        workers: number of workers; 0 for one per GPU if the device is a GPU, else one per core that Ray may use.
        cores: per worker on a CPU.
        note: called when a worker died and was replaced.
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
        """``[make()(unit) for unit in units]``, in order; each worker calls ``make`` once.

        Units are taken from the iterable only as needed, and few results are held at a time. A worker that dies is
        restarted and its units retried, `TRIES` times each.

        Args:
            make: returns the function that processes a unit; it and the units are pickled.
            units: of work.
            device: with ``cuda``, or with ``auto`` if there are GPUs, each worker has a GPU to itself.
            name: unit → its name, for errors.

        Raises:
            MissingExtraError: Ray is not installed.
            WorkerError: the cluster does not exist or has no room, or workers die on a unit.
            FacepipeError, OSError: raised by the work itself.
        """
        ray = _import_ray()
        started = _connect(ray, self.address)
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
                with suppress(Exception):  # the cluster may be gone
                    ray.kill(actor)
            if started:
                ray.shutdown()

    def _room(self, ray: Any, device: str) -> tuple[int, dict[str, int]]:
        """Number of workers, and the resources of each."""
        resources = ray.cluster_resources()
        cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        if device.startswith("cuda") and not gpus:
            raise WorkerError(
                f"{parameter('device', device)}: no machine in the Ray cluster has a GPU; "
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
                f"{gpus} GPUs); use fewer"
            )
        return count, options


def _import_ray() -> Any:
    # No usage reports.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(f"{parameter('on', 'ray')} needs Ray: pip install 'facepipe[ray]'") from error
    return ray


def _connect(ray: Any, address: str) -> bool:
    """Join a cluster, or start one here; returns whether to shut it down afterwards."""
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
    except Exception as error:  # Ray raises many kinds of errors here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise WorkerError(
            f"{parameter('on', 'ray')}: Ray at {where} cannot be reached or started "
            f"({reason})"
        ) from error
    _silence(ray)
    return True


def _silence(ray: Any) -> None:
    """Keep Ray from printing about workers on stdout, which is for data; `OnRay.note` reports them."""
    ray._private.worker.print_worker_logs = lambda *_, **__: None


class _Worker:
    """An actor; sets up on the first unit, so that errors in setup reach the caller."""

    def __init__(self, threads: int, folder: str) -> None:
        with suppress(OSError):  # the folder may not exist on this machine; absolute paths work anyway
            os.chdir(folder)
        self._threads = threads
        self._work: Callable[[Any], Any] | None = None
        self._replaced = False

    def run(self, recipe: list[Any], unit: Any) -> tuple[int, bool, Any]:
        """The process id, whether it replaces a process that died, and the result."""
        if self._work is None:
            ray = _import_ray()
            self._replaced = bool(ray.get_runtime_context().was_current_actor_reconstructed)
            self._work = ray.get(recipe[0])()
            _use_threads(self._threads)
        return os.getpid(), self._replaced, self._work(unit)


def _use_threads(count: int) -> None:
    for name, call in (("torch", "set_num_threads"), ("cv2", "setNumThreads")):
        if name in sys.modules:  # what the work has not imported needs no limit
            getattr(sys.modules[name], call)(count)


def _in_order(
    ray: Any,
    runs: Sequence[Callable[[Any], Any]],
    units: Iterable[A],
    name: Callable[[A], str],
    note: Callable[[str], None],
) -> Iterator[Any]:
    """Results in the order of the units, with a bounded number of queued units and waiting results."""
    remaining = enumerate(units)
    pending: dict[Any, tuple[int, int, str]] = {}  # future → unit, worker and name
    load = [0] * len(runs)
    lives = _Lives(note)
    done: dict[int, Any] = {}
    submitted = delivered = 0
    while True:
        room = min(_QUEUED * len(runs) - len(pending), _AHEAD * len(runs) - (submitted - delivered))
        for number, unit in islice(remaining, max(0, room)):
            worker = load.index(min(load))
            load[worker] += 1
            submitted += 1
            pending[runs[worker](unit)] = number, worker, name(unit)
        if not pending:
            return
        for future in ray.wait(list(pending), num_returns=1)[0]:
            number, worker, unit_name = pending.pop(future)
            load[worker] -= 1
            process, replaced, done[number] = _result(ray, future, unit_name)
            lives.see(worker, process, replaced)
        while delivered in done:
            yield done.pop(delivered)
            delivered += 1


def _result(ray: Any, future: Any, unit_name: str) -> tuple[int, bool, Any]:
    try:
        process, replaced, result = ray.get(future)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, FacepipeError | OSError):
            raise cause from None
        raise
    except ray.exceptions.RayError as error:
        raise WorkerError(
            f"{unit_name}: workers died {TRIES + 1} times on this and the following images (out of memory, or a "
            f"bug in a library?); "
            f"leave the image out, or give each worker more memory with a smaller {parameter('workers')}"
        ) from error
    return int(process), bool(replaced), result


class _Lives:
    """The process id last seen of each worker."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._processes: dict[int, int] = {}

    def see(self, worker: int, process: int, replaced: bool) -> None:
        """Report a worker whose process has changed, or replaces one that died on its first unit."""
        before = self._processes.get(worker)
        self._processes[worker] = process
        if before != process and (before is not None or replaced):
            which = "" if before is None else f" (process {before})"
            self._note(f"worker {worker + 1} died{which} and was replaced; its images were processed again")
