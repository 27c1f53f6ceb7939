"""The engine interface below `Embedder`: running a network on crops."""

from typing import Any, Protocol

import numpy as np

from facepipe.zoo import Model


class Runner(Protocol):
    """A network ready to run.

    Attributes:
        batch_size: crops per pass.
    """

    batch_size: int

    @property
    def precision(self) -> str:
        """Number format it runs in, ``float32`` or ``bfloat16``."""

    def __call__(self, crops: Any, /) -> tuple[np.ndarray, np.ndarray]:
        """Embed crops.

        Args:
            crops: uint8 N×h×w×3 in the network's channel order, of NumPy or, with PyTorch, a tensor on its device;
                N may be 0.

        Returns:
            float32 N×D, and κ or σ² N×K; K is 0 without a head.
        """
        ...


def create_runner(model: Model, precision: str, batch_size: int | None) -> Runner:
    """The runner for the engine the model was loaded with.

    Raises:
        DeviceError: unknown precision, or one that the engine does not support.
    """
    if model.engine == "onnx":
        from facepipe.embedding.onnx_runner import OnnxRunner

        return OnnxRunner(model, precision, batch_size)
    from facepipe.embedding.torch_runner import TorchRunner

    return TorchRunner(model, precision, batch_size)
