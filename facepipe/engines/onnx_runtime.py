"""ONNX Runtime as an engine."""

import os
from typing import Any

import numpy as np

from facepipe.engines.memory import keeps_freed_blocks
from facepipe.engines.session import first_line
from facepipe.errors import DeviceError, ModelError
from facepipe.graphs import Graph, graph_bytes
from facepipe.graphs.graph import Outside, number_of
from facepipe.graphs.prelu import split_prelu
from facepipe.parameters import parameter
from facepipe.threads import thread_count

_LARGE = 1 << 14
"""Size in bytes from which a constant is passed to ONNX Runtime by reference instead of within the graph's bytes."""


def _imported() -> Any:
    """ONNX Runtime without its telemetry, which newer versions start on import, with a warning on stderr if there is
    no home folder. If the variable is set already, it is respected."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class OnnxRuntimeSession:
    """A graph in ONNX Runtime, see `facepipe.engines.Session`; several threads may run it at once."""

    library = "onnxruntime"

    def __init__(self, graph: Graph, threads: int | None, name: str, device: Any = "cpu") -> None:
        onnxruntime = _imported()
        providers = _providers(onnxruntime, device)
        if str(device) == "cpu":
            split_prelu(graph)
        self._name = name
        self._input, self._outputs = graph.inputs[0].name, [value.name for value in graph.outputs]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or thread_count()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised anyway
        # Its arena keeps the peak memory of a run, so that the next one need not request it again.
        options.enable_cpu_mem_arena = keeps_freed_blocks()
        # Prepacking would store large matrices twice without making products faster.
        options.add_session_config_entry("session.disable_prepacking", "1")
        # Idle threads would otherwise spin and compete with others when detection and embedding alternate.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        data, self._constants = _split_constants(onnxruntime, graph, options)
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=providers)
        except Exception as error:  # ONNX Runtime's own errors have no common base
            raise ModelError(f"{name}: ONNX Runtime cannot load this graph: {first_line(error)}") from error
        first = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if self._session.get_providers()[0] != first:
            raise DeviceError(
                f"{parameter('device', 'cuda')}: ONNX Runtime could not start CUDA for {name}; "
                f"use {parameter('device', 'cpu')}"
            )

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """See `Session`."""
        try:
            outputs = self._session.run(self._outputs, {self._input: np.ascontiguousarray(batch)})
        except Exception as error:  # ONNX Runtime's own errors have no common base
            raise ModelError(f"{self._name}: this ONNX graph does not run: {first_line(error)}") from error
        # Copies: keeping ONNX Runtime's own arrays would leave holes in its arena, which then grows.
        return [np.array(values) for values in outputs]


def _split_constants(runtime: Any, graph: Graph, options: Any) -> tuple[bytes, list[Any]]:
    """The graph's bytes without its large constants, and these separately, which ONNX Runtime uses in place."""
    large = {
        name: values
        for name, values in graph.constants.items()
        if isinstance(values, np.ndarray) and values.nbytes > _LARGE
    }
    for name, values in large.items():
        graph.constants[name] = Outside(number_of(values), values.shape, "memory", 0, values.nbytes)
    constants = [runtime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values)) for values in large.values()]
    options.add_external_initializers(list(large), constants)
    return graph_bytes(graph), constants


def _providers(runtime: Any, device: Any) -> list[Any]:
    kind, _, index = str(device).partition(":")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    if kind != "cuda":
        raise DeviceError(f"{parameter('device', device)}: ONNX models run on cpu or cuda only")
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise DeviceError(
            f"{parameter('device', device)}: the installed onnxruntime has no CUDA; pip install onnxruntime-gpu in its "
            f"place, or use {parameter('device', 'cpu')}"
        )
    if hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # the CUDA libraries that torch brought
    return [("CUDAExecutionProvider", {"device_id": int(index or 0)}), "CPUExecutionProvider"]
