"""The processes of a run under torchrun, or its only process."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from facepipe.devices import choose_device
from facepipe.errors import FacepipeError
from facepipe.parameters import parameter

_LOST = re.compile(r"gloo|Connection (closed|reset) by peer|Broken pipe")
"""Matches gloo's errors about a lost process, for which it has no exception class."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank, count: rank of this process, and number of processes.
        local_count: number of processes on this machine.
        device: device of this process.
        local_rank: rank of this process on its machine.
    """

    rank: int
    count: int
    local_count: int
    device: torch.device
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, prints and evaluates."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.count > 1:
            dist.barrier()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.count == 1:
            return flag
        value = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def add_up(self, tensor: Tensor) -> Tensor:
        """Sum tensors of equal shape over all ranks, in place, on every rank, without a gradient."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def share(self, count: int) -> slice:
        """This rank's contiguous part of ``count`` items; parts differ in size by at most one."""
        return slice(self.rank * count // self.count, (self.rank + 1) * count // self.count)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all ranks, of equal shape, without a gradient."""
        if self.count == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(parts, tensor.contiguous())
        return parts


@contextmanager
def join_ranks(device: str = "auto", timeout_minutes: float = 120.0) -> Iterator[Ranks]:
    """Join the process group that torchrun sets up in the environment; leave it at the end.

    With ``cuda`` each process uses the GPU of its local rank, with NCCL; on a CPU the backend is gloo.

    Args:
        device: device of each process.
        timeout_minutes: how long one rank waits for another. NCCL's default of ten minutes is less than the first rank
            needs to evaluate a large set.

    Raises:
        DeviceError: the device is not available.
        FacepipeError: another process of the run has died, for example killed by the system.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = choose_device(device)
    if count == 1:
        yield Ranks(0, 1, 1, chosen)
        return
    if chosen.type == "cuda" and device in ("auto", "cuda"):
        chosen = choose_device(f"cuda:{local}")
        torch.cuda.set_device(chosen)
    timeout = timedelta(minutes=timeout_minutes)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timeout)
    try:
        yield Ranks(dist.get_rank(), count, int(os.environ.get("LOCAL_WORLD_SIZE", count)), chosen, local)
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or _LOST.search(str(error))):
            raise
        reason = str(error).splitlines()[0][-160:]
        raise FacepipeError(
            f"another process of this run has ended or cannot be reached ({reason}); check its messages, then resume "
            f"with {parameter('resume', True)}"
        ) from error
    finally:
        dist.destroy_process_group()
