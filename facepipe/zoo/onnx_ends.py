"""An embedder with one input N×3×H×W and one output, of an ONNX graph that has other ends or lies in two files."""

from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.graphs import Graph, Node, Value, graph_bytes, read_graph
from facepipe.graphs.batch import free_batch
from facepipe.graphs.graph import Outside

_SHOWN = 8


@dataclass(frozen=True)
class OnnxEnds:
    """What of a graph is the embedder.

    Attributes:
        layout: of the crops that it takes: ``nchw``, or ``nhwc`` as TensorFlow's graphs do.
        output: name of the embedding among several outputs; empty where there is one.
    """

    layout: str = "nchw"
    output: str = ""


def self_contained(path: Path, ends: OnnxEnds) -> bytes | None:
    """The bytes of a graph with the usual ends and with all its tensors in one file; None where it is so already.

    Raises:
        ModelError: the file, or one beside it that it needs, is missing or damaged; or it has no such output.
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
    """Let the graph take N×3×H×W, and turn that to N×H×W×3 first."""
    free_batch(graph)
    taken = graph.inputs[0] if len(graph.inputs) == 1 else Value("", None)
    shape = taken.shape or []
    if len(shape) != 4:
        raise ModelError(f"{path}: an embedder takes one input of four axes, this graph {named(graph.inputs)}")
    graph.inputs = [Value(f"{taken.name}/nchw", [shape[0], shape[3], shape[1], shape[2]], taken.kind)]
    graph.nodes.insert(0, Node("Transpose", [f"{taken.name}/nchw"], [taken.name], {"perm": [0, 2, 3, 1]}))


def named(values: list[Value]) -> str:
    """Names and shapes of inputs or outputs, for messages."""
    message = [f"{value.name} ({'×'.join(str(side or '?') for side in value.shape or ['?'])})" for value in values]
    return ", ".join(message[:_SHOWN]) + (", …" if len(message) > _SHOWN else "")
