"""Rewrite an ONNX graph with other inputs and outputs, or external tensors, as an embedder N×3×H×W → N×D."""

from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.graphs import Graph, Node, Value, graph_bytes, read_graph
from facepipe.graphs.batch import free_batch
from facepipe.graphs.graph import Outside

_SHOWN = 8


@dataclass(frozen=True)
class OnnxEnds:
    """The input and output of a graph to use.

    Attributes:
        layout: layout of the input: ``nchw``, or ``nhwc`` as in TensorFlow's graphs.
        output: name of the embedding among several outputs; empty if there is one.
    """

    layout: str = "nchw"
    output: str = ""


def self_contained(path: Path, ends: OnnxEnds) -> bytes | None:
    """The bytes of a graph with the usual input and output and with all tensors in one file; None if it is already so.

    Raises:
        ModelError: the file, or an external file it refers to, is missing or damaged; or it has no such output.
    """
    graph = read_graph(path)
    changed = any(isinstance(value, Outside) for value in read_graph(path, outside=True).constants.values())
    if ends.output:
        changed |= _take_output(graph, ends.output, path)
    if ends.layout == "nhwc":
        _transpose_input(graph, path)
        changed = True
    return graph_bytes(graph) if changed else None


def _take_output(graph: Graph, name: str, path: Path) -> bool:
    chosen = [value for value in graph.outputs if value.name == name]
    if not chosen:
        raise ModelError(f"{path}: no output {name!r}; it has {named(graph.outputs)}")
    if len(graph.outputs) == 1:
        return False
    graph.outputs = chosen
    needed, kept = {name}, []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    graph.nodes = kept[::-1]
    graph.drop_unused()
    return True


def _transpose_input(graph: Graph, path: Path) -> None:
    """Make the input N×3×H×W, with a transposition to N×H×W×3."""
    free_batch(graph)
    crops = graph.inputs[0] if len(graph.inputs) == 1 else Value("", None)
    shape = crops.shape or []
    if len(shape) != 4:
        raise ModelError(f"{path}: an embedder has one input with four axes, but this graph has {named(graph.inputs)}")
    graph.inputs = [Value(f"{crops.name}/nchw", [shape[0], shape[3], shape[1], shape[2]], crops.kind)]
    graph.nodes.insert(0, Node("Transpose", [f"{crops.name}/nchw"], [crops.name], {"perm": [0, 2, 3, 1]}))


def named(values: list[Value]) -> str:
    """Names and shapes of inputs or outputs, for messages."""
    parts = [f"{value.name} ({'×'.join(str(side or '?') for side in value.shape or ['?'])})" for value in values]
    return ", ".join(parts[:_SHOWN]) + (", …" if len(parts) > _SHOWN else "")
