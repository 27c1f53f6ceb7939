"""The processes of one run under torchrun, or the only one."""

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
"""In what gloo says of a process that is gone, for which it has no class of its own."""


@dataclass(frozen=True)
class Ranks:
    """Where this process stands.

    Attributes:
        rank, count: number of this process, and of all.
        local_count: processes on this machine.
        device: what this process computes on.
        local_rank: number of this process on its machine.
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
        """Wait for all."""
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
        """The sum over all ranks of tensors of equal shape, on every rank, in place, without a gradient."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def share(self, count: int) -> slice:
        """This rank's part of ``count`` things: neighbours, as many as another rank has or one less."""
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
    """Join the process group that torchrun announces in the environment; leave it at the end.

    With ``cuda`` each process of a machine takes the GPU of its local rank, over NCCL; on a CPU they talk
    over gloo.

    Args:
        device: what each process computes on.
        timeout_minutes: how long one may wait for another. NCCL's own ten minutes are less than the first rank takes
            to evaluate a large set.

    Raises:
        DeviceError: the device is not there.
        FacepipeError: another process of the run has ended, by the kernel's hand for example.
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
    patience = timedelta(minutes=timeout_minutes)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=patience)
    try:
        yield Ranks(dist.get_rank(), count, int(os.environ.get("LOCAL_WORLD_SIZE", count)), chosen, local)
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or _LOST.search(str(error))):
            raise
        reason = str(error).splitlines()[0][-160:]
        raise FacepipeError(
            f"another process of this run has ended or cannot be reached ({reason}); look at its messages, and go on "
            f"with {parameter('resume', True)}"
        ) from error
    finally:
        dist.destroy_process_group()
