"""OpenCV's dnn as an engine, for installations without ONNX Runtime."""

from threading import Lock
from typing import Any

import cv2
import numpy as np

from facepipe.engines.opencv_log import quiet_opencv
from facepipe.engines.session import first_line
from facepipe.errors import ModelError
from facepipe.graphs import Graph, graph_bytes


class OpenCVSession:
    """A graph in OpenCV's dnn, see `facepipe.engines.Session`; one run at a time."""

    library = "opencv"

    def __init__(self, graph: Graph, name: str) -> None:
        self._name, self._outputs = name, [value.name for value in graph.outputs]
        # It keeps the input of a run.
        self._lock = Lock()
        try:
            with quiet_opencv():
                self._network: Any = cv2.dnn.readNetFromONNX(np.frombuffer(graph_bytes(graph), np.uint8))
        except cv2.error as error:
            raise ModelError(f"{name}: OpenCV {cv2.__version__} cannot load this graph: {first_line(error)}") from error

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """As of `Session`."""
        try:
            with self._lock, quiet_opencv():
                self._network.setInput(np.ascontiguousarray(batch))
                found = self._network.forward(self._outputs)
        except cv2.error as error:
            raise ModelError(f"{self._name}: this ONNX graph does not run: {first_line(error)}") from error
        # Copies: its own arrays are overwritten by the next run.
        return [np.array(values) for values in found]
