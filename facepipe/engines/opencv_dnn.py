"""OpenCV's dnn as an engine, for installations without ONNX Runtime, and silencing its log."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import cv2
import numpy as np

from facepipe.engines.session import first_line
from facepipe.errors import ModelError
from facepipe.graphs import Graph, graph_bytes


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's messages about missing backends of its newer dnn engine and about its older parser."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


class OpenCVSession:
    """A graph in OpenCV's dnn, see `facepipe.engines.Session`; one run at a time."""

    library = "opencv"

    def __init__(self, graph: Graph, name: str) -> None:
        self._name, self._outputs = name, [value.name for value in graph.outputs]
        # The network stores the input of a run.
        self._lock = Lock()
        try:
            with quiet_opencv():
                self._network: Any = cv2.dnn.readNetFromONNX(np.frombuffer(graph_bytes(graph), np.uint8))
        except cv2.error as error:
            raise ModelError(f"{name}: OpenCV {cv2.__version__} cannot load this graph: {first_line(error)}") from error

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """See `Session`."""
        try:
            with self._lock, quiet_opencv():
                self._network.setInput(np.ascontiguousarray(batch))
                outputs = self._network.forward(self._outputs)
        except cv2.error as error:
            raise ModelError(f"{self._name}: this ONNX graph does not run: {first_line(error)}") from error
        # Copies, since the next run overwrites OpenCV's own arrays.
        return [np.array(values) for values in outputs]
