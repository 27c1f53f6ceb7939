"""The ONNX engine: a graph ready to run in ONNX Runtime if it is installed, otherwise in OpenCV's dnn."""

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from facepipe.errors import DeviceError
from facepipe.graphs import Graph
from facepipe.graphs.batch_norm import fold_norms
from facepipe.graphs.constants import fold_constants


class Session(Protocol):
    """A network with one input.

    Attributes:
        library: the library that runs it, such as ``onnxruntime``.
    """

    library: str

    def __call__(self, batch: np.ndarray, /) -> list[np.ndarray]:
        """The graph's outputs, in the graph's order, for a float32 batch N×... with N at least 1.

        Raises:
            ModelError: the graph does not run.
        """
        ...


def open_session(graph: Graph, threads: int | None = None, name: str = "graph", device: Any = "cpu") -> Session:
    """Prepare a graph and load it.

    Args:
        graph: float32, with one input; changed in place.
        threads: threads that one run may use; None means as many as this process should use.
        name: of the file or model, for error messages.
        device: ``cpu``, or a torch device to run ONNX Runtime on a GPU.

    Raises:
        ModelError: the graph cannot be loaded.
        DeviceError: ONNX Runtime does not support the device.
    """
    fold_constants(graph)
    fold_norms(graph)
    if find_spec("onnxruntime") is not None:
        from facepipe.engines.onnx_runtime import OnnxRuntimeSession

        return OnnxRuntimeSession(graph, threads, name, device)
    if str(device) != "cpu":
        raise DeviceError(f"{name}: OpenCV's dnn runs ONNX graphs on the CPU only: pip install onnxruntime-gpu")
    from facepipe.engines.opencv_dnn import OpenCVSession

    return OpenCVSession(graph, name)


def first_line(error: Exception) -> str:
    """The first line of a library's error message about a graph."""
    return " ".join(str(error).split())[:200]
