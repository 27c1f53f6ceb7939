"""What the cascade needs from an engine: array operations, and MTCNN's three networks."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from facepipe.detection.arrays import Arrays

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Passes:
    """Maximum size of a pass through each network.

    Attributes:
        pyramid: pixels of one pyramid level for P-Net, few enough to stay in the CPU's cache.
        rnet: candidates for R-Net.
        onet: candidates for O-Net, which receives few, so that its passes are small.
    """

    pyramid: int
    rnet: int
    onet: int


class Stages(Protocol):
    """MTCNN's networks in one engine.

    Attributes:
        passes: the size of a pass.
        on_cores: whether images are spread over the CPU's cores.
        padded: whether the last pass of R-Net and O-Net is padded to the size of the others.
    """

    passes: Passes
    on_cores: bool
    padded: bool

    @property
    def arrays(self) -> Arrays:
        """The operations for the arrays that the networks take and return."""

    def pnet(self, x: Any, /) -> tuple[Any, Any]:
        """N×3×H×W to face probability N×h×w and box regression N×4×h×w."""

    def rnet(self, x: Any, /) -> tuple[Any, Any]:
        """N×3×24×24 to face probability N and box regression N×4."""

    def onet(self, x: Any, /) -> tuple[Any, Any, Any]:
        """N×3×48×48 to face probability N, box regression N×4, landmarks N×10 (five x, then five y)."""

    def running(self) -> AbstractContextManager[Any]:
        """A context around each search."""

    def cores(self) -> int:
        """How many searches may run at once."""

    def in_turn(self, function: Callable[[list[A]], list[B]], arguments: list[list[A]], /) -> list[list[B]]:
        """``[function(a) for a in arguments]``, in smaller parts if a GPU runs out of memory."""

    def spread(self, function: Callable[[A], B], arguments: Iterable[A], /) -> list[B]:
        """``[function(a) for a in arguments]``, spread over the cores."""


def create_stages(engine: str, device: str) -> Stages:
    """MTCNN's networks in ``torch`` or ``onnx``.

    Raises:
        DeviceError: there is no such device.
        ModelError: the networks' weights are missing or damaged.
    """
    if engine == "onnx":
        from facepipe.detection.onnx_stages import OnnxStages

        return OnnxStages()
    from facepipe.detection.torch_stages import TorchStages

    return TorchStages(device)
