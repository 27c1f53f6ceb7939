"""MTCNN's networks in PyTorch."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

from facepipe.detection.networks import load_networks
from facepipe.detection.stages import A, B, Passes
from facepipe.detection.torch_arrays import TorchArrays
from facepipe.detection.workers import map_on_cores
from facepipe.devices import choose_device, in_halves, keep_freed_memory, whole_float32


class TorchStages:
    """See `facepipe.detection.stages.Stages`.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` ...
    """

    passes = Passes(pyramid=100_000, rnet=64, onet=16)
    # Passes of one size: no new shape is compiled, and a candidate's result does not depend on the others in its pass.
    padded = True

    def __init__(self, device: str) -> None:
        self.device = choose_device(device)
        self.arrays = TorchArrays(self.device)
        self.on_cores = self.device.type == "cpu"
        if self.on_cores:
            keep_freed_memory()
        self.pnet, self.rnet, self.onet = load_networks(self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        with torch.inference_mode(), whole_float32(self.device):
            yield

    def cores(self) -> int:
        return torch.get_num_threads()

    def in_turn(self, function: Callable[[list[A]], list[B]], arguments: list[list[A]]) -> list[list[B]]:
        return [in_halves(function, argument) for argument in arguments]

    def spread(self, function: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
        return map_on_cores(function, arguments)
