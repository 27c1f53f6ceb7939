"""The lower layers of an ONNX graph by ONNX Runtime: on a CPU half as fast again as torch."""

from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import ModelError
from facepipe.zoo.onnx_graph import fold_dequantize, free_batch, split_prelu
from facepipe.zoo.onnx_network import packages, read_graph


class OnnxLayers:
    """Pixels N×3×H×W, as the graph takes them → the map N×C×h×w behind its PReLU number ``prelus``.

    Args:
        path: of the ONNX file, a chain of layers as in SFace.
        prelus: how many PReLUs are run, at least 1.
        threads: of ONNX Runtime.

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        ModelError: the file is damaged, or its graph has not so many.
    """

    def __init__(self, path: Path, prelus: int, threads: int) -> None:
        onnx, runtime = packages()
        model = read_graph(onnx, path)
        free_batch(model)
        outputs = [node.output[0] for node in model.graph.node if node.op_type == "PRelu"]
        if len(outputs) < prelus:
            raise ModelError(f"{path}: {len(outputs)} PReLUs, not {prelus}")
        fold_dequantize(model)
        split_prelu(model)
        self._output = outputs[prelus - 1]
        _end_at(onnx, model, self._output)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session: Any = runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The map, float32."""
        (out,) = self._session.run([self._output], {self._input: pixels})
        return np.array(out)


def _end_at(onnx: Any, model: Any, output: str) -> None:
    """Make ``output`` the graph's only one, and drop what comes after it."""
    graph = model.graph
    last = next(number for number, node in enumerate(graph.node) if output in node.output)
    del graph.node[last + 1 :]
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    used = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.initializer if value.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
