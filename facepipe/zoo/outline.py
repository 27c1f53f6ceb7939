"""The outline of a model: a graph without weights, which refers to the model's safetensors file.

It is an ONNX file with external data, which any ONNX program can read: each tensor is a byte range of the safetensors
file in the same folder.
"""

import json
from dataclasses import replace
from pathlib import Path

from facepipe.graphs import Graph, Node, graph_bytes, read_graph
from facepipe.graphs.graph import Outside

WEIGHTS_KEY = "facepipe.weights"
"""Key of the graph's metadata with the SHA-256 of its weights."""
_FLOAT16, _FLOAT32 = 10, 1
_KINDS = {"F16": _FLOAT16, "F32": _FLOAT32}


def outline_path(weights: Path) -> Path:
    """The path of the graph of a file of weights, which may not exist."""
    return weights.with_suffix(".onnx")


def outline_bytes(graph: Graph, weights: Path, sha256: str, file: str = "") -> bytes:
    """An ONNX file of the graph that refers to the tensors in ``weights``.

    Args:
        graph: its constants are named like the file's tensors; changed in place.
        weights: a safetensors file.
        sha256: of that file.
        file: name of the file next to the graph; empty: that of ``weights``.
    """
    tensors, start = _tensors(weights)
    casts = []
    for name in list(graph.constants):
        if name not in tensors:
            continue  # a small constant of the code
        entry, values = tensors[name], graph.constant(name)
        assert values is not None
        begin, end = entry["data_offsets"]
        outside = Outside(_KINDS[entry["dtype"]], values.shape, file or weights.name, start + begin, end - begin)
        if outside.kind == _FLOAT32:
            graph.constants[name] = outside
        else:
            del graph.constants[name]
            graph.constants[f"{name}/stored"] = outside
            casts.append(Node("Cast", [f"{name}/stored"], [name], {"to": _FLOAT32}))
    graph.nodes[:0] = casts
    graph.metadata[WEIGHTS_KEY] = sha256
    return graph_bytes(graph)


def moved_outline(path: Path, file: str) -> bytes:
    """A graph of `outline_bytes` for weights with another file name."""
    graph = read_graph(path, outside=True)
    for name, values in graph.constants.items():
        if isinstance(values, Outside):
            graph.constants[name] = replace(values, file=file)
    return graph_bytes(graph)


def _tensors(path: Path) -> tuple[dict[str, dict], int]:
    """The header of a safetensors file, and the offset of its data."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length
