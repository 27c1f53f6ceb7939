"""What the cascade asks of an engine: arrays, and MTCNN's three networks."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from facepipe.detection.arrays import Arrays

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Passes:
    """How much goes through a network at once.

    Attributes:
        pyramid: pixels of one pyramid level through P-Net: few enough to stay in the processor's cache.
        rnet: candidates through R-Net.
        onet: candidates through O-Net, which sees few, so that its passes are small.
    """

    pyramid: int
    rnet: int
    onet: int


class Stages(Protocol):
    """MTCNN's networks by one engine.

    Attributes:
        passes: the size of a pass.
        on_cores: whether images are spread over the processor's cores.
        filled: whether the last pass of R-Net and O-Net is filled up to the size of the others.
    """

    passes: Passes
    on_cores: bool
    filled: bool

    @property
    def arrays(self) -> Arrays:
        """What the networks take and give."""

    def pnet(self, x: Any, /) -> tuple[Any, Any]:
        """N×3×H×W to face probability N×h×w and box regression N×4×h×w."""

    def rnet(self, x: Any, /) -> tuple[Any, Any]:
        """N×3×24×24 to face probability N and box regression N×4."""

    def onet(self, x: Any, /) -> tuple[Any, Any, Any]:
        """N×3×48×48 to face probability N, box regression N×4, landmarks N×10 (five x, then five y)."""

    def running(self) -> AbstractContextManager[Any]:
        """Around a search."""

    def cores(self) -> int:
        """How many may search at once."""

    def in_turn(self, function: Callable[[list[A]], list[B]], arguments: list[list[A]], /) -> list[list[B]]:
        """``[function(a) for a in arguments]``; in smaller parts where a GPU's memory does not suffice."""

    def spread(self, function: Callable[[A], B], arguments: Iterable[A], /) -> list[B]:
        """``[function(a) for a in arguments]``, on as many cores."""


def create_stages(engine: str, device: str) -> Stages:
    """MTCNN's networks by ``torch`` or ``onnx``.

    Raises:
        DeviceError: there is no such device.
        ModelError: the networks' weights are missing or damaged.
    """
    if engine == "onnx":
        from facepipe.detection.onnx_stages import OnnxStages

        return OnnxStages()
    from facepipe.detection.torch_stages import TorchStages

    return TorchStages(device)
