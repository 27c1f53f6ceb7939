"""Computing once what a graph would compute from constants in each run."""

from collections.abc import Callable

import numpy as np

from facepipe.graphs.dequantize import dequantize
from facepipe.graphs.graph import Graph, Node
from facepipe.graphs.tensor_types import TYPES


def fold_constants(graph: Graph) -> None:
    """Replace, in place, nodes over constants alone by their result: those by which weights are unpacked."""
    kept = []
    for node in graph.nodes:
        value = _value(graph, node)
        if value is None:
            kept.append(node)
        else:
            graph.constants[node.outputs[0]] = value
    graph.nodes = kept
    graph.drop_unused()


def _value(graph: Graph, node: Node) -> np.ndarray | None:
    if node.op == "Constant":
        value = node.attributes.get("value")
        return value if isinstance(value, np.ndarray) else None
    operands = [graph.constant(name) for name in node.inputs if name]
    if node.op not in _FOLDED or len(node.outputs) != 1 or not operands:
        return None
    known = [operand for operand in operands if operand is not None]
    return _FOLDED[node.op](node, *known) if len(known) == len(operands) else None


def _dequantized(node: Node, *operands: np.ndarray) -> np.ndarray:
    return dequantize(*operands, axis=node.attributes.get("axis", 1), block=node.attributes.get("block_size", 0))


def _cast(node: Node, values: np.ndarray) -> np.ndarray | None:
    dtype = TYPES.get(node.attributes["to"])
    return None if dtype is None else values.astype(dtype)


def _same(_: Node, values: np.ndarray) -> np.ndarray:
    return values


def _reshaped(node: Node, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
    if node.attributes.get("allowzero"):
        return values.reshape(shape)
    return values.reshape([values.shape[axis] if side == 0 else side for axis, side in enumerate(shape.tolist())])


_FOLDED: dict[str, Callable[..., np.ndarray | None]] = {
    "Cast": _cast,
    "DequantizeLinear": _dequantized,
    "Identity": _same,
    "Reshape": _reshaped,
}
