"""MTCNN's networks in the ONNX engine."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from facepipe.detection.graphs import onet_graph, pnet_graph, rnet_graph
from facepipe.detection.numpy_arrays import NumpyArrays
from facepipe.detection.stages import A, B, Passes
from facepipe.engines import open_session
from facepipe.engines.cores import map_on_threads
from facepipe.engines.memory import bound_memory
from facepipe.threads import thread_count
from facepipe.weights import detector_weights


class OnnxStages:
    """See `facepipe.detection.stages.Stages`.

    Raises:
        ModelError: the weights file is missing or damaged.
    """

    # Smaller than PyTorch's: no slower here, and a pass accounts for most of the memory that a light job needs.
    passes = Passes(pyramid=30_000, rnet=16, onet=4)
    padded = False
    on_cores = True

    def __init__(self) -> None:
        from safetensors.numpy import load_file

        bound_memory()
        self.arrays = NumpyArrays()
        weights = load_file(detector_weights("mtcnn"))
        # One thread each: images are spread over the cores; the networks are too small for that.
        graphs = (make(weights) for make in (pnet_graph, rnet_graph, onet_graph))
        self._pnet, self._rnet, self._onet = (open_session(graph, 1, "MTCNN") for graph in graphs)

    def pnet(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probability, offsets = self._pnet(x)
        return probability[:, 1], offsets

    def rnet(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not len(x):
            return np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
        probability, offsets = self._rnet(x)
        return probability[:, 1], offsets

    def onet(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not len(x):
            return np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 10), np.float32)
        probability, offsets, points = self._onet(x)
        return probability[:, 1], offsets, points

    def running(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def cores(self) -> int:
        return thread_count()

    def in_turn(self, function: Callable[[list[A]], list[B]], arguments: list[list[A]]) -> list[list[B]]:
        return [function(argument) for argument in arguments]

    def spread(self, function: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
        return map_on_threads(function, arguments)
