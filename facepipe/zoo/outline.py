"""The graph of a model whose weights lie in a safetensors file: operations only, so that nothing is there twice.

It is an ONNX file with external data, which any program reads that reads such: each tensor is a piece of the file of
weights beside it.
"""

import json
from dataclasses import replace
from pathlib import Path

from facepipe.graphs import Graph, Node, graph_bytes, read_graph
from facepipe.graphs.graph import Outside

WEIGHTS_KEY = "facepipe.weights"
"""Under this key the graph's metadata has the SHA-256 of the weights that it belongs to."""
_FLOAT16, _FLOAT32 = 10, 1
_KINDS = {"F16": _FLOAT16, "F32": _FLOAT32}


def outline_path(weights: Path) -> Path:
    """Where the graph of a file of weights is, if there is one: beside it."""
    return weights.with_suffix(".onnx")


def outline_bytes(graph: Graph, weights: Path, sha256: str, file: str = "") -> bytes:
    """An ONNX file of the graph that takes its tensors from ``weights``.

    Args:
        graph: whose constants have the names of the file's tensors; changed in place.
        weights: a safetensors file.
        sha256: of that file.
        file: name under which it will lie beside the graph; empty: its own.
    """
    tensors, start = _tensors(weights)
    casts = []
    for name in list(graph.constants):
        if name not in tensors:
            continue  # a number of the code's, small
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
    """A graph of `outline_bytes` for weights that lie under another name."""
    graph = read_graph(path, outside=True)
    for name, values in graph.constants.items():
        if isinstance(values, Outside):
            graph.constants[name] = replace(values, file=file)
    return graph_bytes(graph)


def _tensors(path: Path) -> tuple[dict[str, dict], int]:
    """The header of a safetensors file, and where its data begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length
