"""Batch norm folded into the convolution or dense layer before it."""

import numpy as np

from facepipe.graphs.graph import Graph, Node


def fold_norms(graph: Graph) -> None:
    """Fold batch norms, in place, into layers with constant weights whose output nothing else reads.

    Results are the same up to rounding. Weights that only one node reads are changed in place.
    """
    makers = {node.outputs[0]: node for node in graph.nodes}
    readers: dict[str, int] = {}
    for name in (name for node in graph.nodes for name in node.inputs):
        readers[name] = readers.get(name, 0) + 1
    outputs = {value.name for value in graph.outputs}
    kept = []
    for node in graph.nodes:
        layer = makers.get(node.inputs[0]) if node.op == "BatchNormalization" else None
        alone = layer is not None and readers[node.inputs[0]] == 1 and node.inputs[0] not in outputs
        if layer is None or not alone or not _fold(graph, layer, node, readers):
            kept.append(node)
        else:
            layer.outputs[0] = node.outputs[0]
            makers[layer.outputs[0]] = layer
    graph.nodes = kept
    graph.drop_unused()


def _fold(graph: Graph, layer: Node, norm: Node, readers: dict[str, int]) -> bool:
    dense = layer.op == "Gemm" and layer.attributes.get("transB", 0) and layer.attributes.get("alpha", 1.0) == 1.0
    if not (dense or layer.op == "Conv"):
        return False
    weight = graph.constant(layer.inputs[1])
    statistics = [graph.constant(name) for name in norm.inputs[1:5]]
    bias = graph.constant(layer.inputs[2]) if len(layer.inputs) > 2 else np.float32(0)
    if weight is None or bias is None or any(values is None for values in statistics) or len(norm.outputs) > 1:
        return False
    in_place = readers[layer.inputs[1]] == 1 and weight.flags.writeable and weight.flags.owndata
    gain, shift, mean, variance = (np.asarray(values, np.float64) for values in statistics)
    factor = gain / np.sqrt(variance + norm.attributes.get("epsilon", 1e-5))
    name = norm.outputs[0]
    spread = factor.astype(weight.dtype).reshape(-1, *[1] * (weight.ndim - 1))
    # In place if nothing else uses the array, so that large weights are not held twice.
    graph.constants[f"{name}/weight"] = np.multiply(weight, spread, out=weight if in_place else None)
    graph.constants[f"{name}/bias"] = np.asarray(shift + (bias - mean) * factor, weight.dtype)
    layer.inputs[1:] = [f"{name}/weight", f"{name}/bias"]
    return True
