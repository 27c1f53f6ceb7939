"""Constant folding: computing once what a graph would compute from constants in each run."""

from collections.abc import Callable

import numpy as np

from facepipe.graphs.graph import TYPES, Graph, Node


def dequantize(
    quantized: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None, *, axis: int = 1, block: int = 0
) -> np.ndarray:
    """(quantized - zero)·scale, with a single scale, one per index of ``axis``, or one per block.

    Args:
        quantized: integers of any shape.
        scale: scalar, vector along ``axis``, or shaped as ``quantized`` with ``axis`` divided by ``block``.
        zero: shaped as ``scale``; None means 0.
        axis: axis of the vector or the blocks.
        block: length of a block along ``axis``, of which the last may be shorter; 0 for a scalar or vector scale.

    Returns:
        Shaped as ``quantized``, in the type of ``scale``.
    """

    def spread(parameter: np.ndarray) -> np.ndarray:
        if block:
            repeated = np.repeat(parameter, block, axis=axis)
            return np.moveaxis(np.moveaxis(repeated, axis, 0)[: quantized.shape[axis]], 0, axis)
        if parameter.size == 1:
            return parameter.reshape(())
        shape = [1] * quantized.ndim
        shape[axis] = parameter.size
        return parameter.reshape(shape)

    values = quantized.astype(np.float32)
    if zero is not None and np.any(zero):
        values -= spread(zero).astype(np.float32)
    return np.asarray(values * spread(scale), scale.dtype)


def fold_constants(graph: Graph) -> None:
    """Replace, in place, nodes that have only constant inputs, such as those that unpack weights, by their result."""
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
