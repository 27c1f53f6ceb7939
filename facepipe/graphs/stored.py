"""Storing the weights of a graph in fewer bits; computation stays in float32."""

import numpy as np

from facepipe.errors import ModelError
from facepipe.graphs.graph import Graph, Node

STORED_AS = ("float32", "float16", "int8")
_SMALLEST = 1024
"""Size of a tensor from which it is worthwhile."""
_FLOAT32 = 1
_LAYERS = ("Conv", "Gemm")


def store_weights(graph: Graph, numbers: str) -> None:
    """Store the weights of convolutions and dense layers in another format, in place.

    Args:
        graph: with constants in float32.
        numbers: ``float32`` (no change), ``float16``, or ``int8``, symmetric, with one scale for each output of a
            layer (its first axis).

    Raises:
        ModelError: unknown format.
    """
    if numbers not in STORED_AS:
        raise ModelError(f"weights in {numbers}: choose one of {', '.join(STORED_AS)}")
    if numbers == "float32":
        return
    unpacking = []
    weights = dict.fromkeys(node.inputs[1] for node in graph.nodes if node.op in _LAYERS)
    for name in weights:
        values = graph.constant(name)
        if values is None or values.dtype != np.float32 or values.size < _SMALLEST:
            continue
        del graph.constants[name]
        unpacking.append(_half(graph, name, values) if numbers == "float16" else _eighth(graph, name, values))
    graph.nodes[:0] = unpacking


def _half(graph: Graph, name: str, values: np.ndarray) -> Node:
    graph.constants[f"{name}/stored"] = values.astype(np.float16)
    return Node("Cast", [f"{name}/stored"], [name], {"to": _FLOAT32})


def _eighth(graph: Graph, name: str, values: np.ndarray) -> Node:
    largest = np.abs(values).reshape(len(values), -1).max(1)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(127)
    spread = scale.reshape(-1, *[1] * (values.ndim - 1))
    graph.constants[f"{name}/stored"] = np.rint(values / spread).astype(np.int8)
    graph.constants[f"{name}/scale"] = scale
    graph.constants[f"{name}/zero"] = np.zeros(len(scale), np.int8)
    return Node("DequantizeLinear", [f"{name}/stored", f"{name}/scale", f"{name}/zero"], [name], {"axis": 0})
