"""Letting a graph that was written for one image take any number."""

import numpy as np

from facepipe.graphs.graph import Graph

_BATCH = "N"


def free_batch(graph: Graph) -> None:
    """Let a graph with a fixed batch take any, and drop inputs that are constants or unused; changes it in place.

    A graph may still tie the images of a batch together in other ways: run one to see.
    """
    used = {name for node in graph.nodes for name in node.inputs}
    graph.inputs = [value for value in graph.inputs if value.name in used and value.name not in graph.constants]
    for value in (*graph.inputs, *graph.outputs):
        if value.shape:
            value.shape[0] = _BATCH
    _free_reshapes(graph)


def _free_reshapes(graph: Graph) -> None:
    """Let a reshape that repeats the fixed batch take the batch of its input: 0 in its shape means that."""
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
