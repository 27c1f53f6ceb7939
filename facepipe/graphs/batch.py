"""Making a graph with a fixed batch size accept any number of images."""

import numpy as np

from facepipe.graphs.graph import Graph

_BATCH = "N"


def free_batch(graph: Graph) -> None:
    """Make a graph with a fixed batch size accept any, and drop inputs that are constants or unused, in place.

    The graph may still depend on its batch size in other ways; run it to find out.
    """
    used = {name for node in graph.nodes for name in node.inputs}
    graph.inputs = [value for value in graph.inputs if value.name in used and value.name not in graph.constants]
    for value in (*graph.inputs, *graph.outputs):
        if value.shape:
            value.shape[0] = _BATCH
    _free_reshapes(graph)


def _free_reshapes(graph: Graph) -> None:
    """Make reshapes with the fixed batch size use that of their input, which 0 in the shape means."""
    batched = {value.name for value in graph.inputs}
    for node in graph.nodes:
        if batched.isdisjoint(node.inputs):
            continue
        batched.update(node.outputs)
        if node.op != "Reshape" or node.attributes.get("allowzero"):
            continue
        shape = graph.constant(node.inputs[1])
        if shape is not None and shape.size > 1 and shape[0] == 1:
            node.inputs[1] = f"{node.outputs[0]}/shape"
            graph.constants[node.inputs[1]] = np.array([0, *shape[1:]], np.int64)
