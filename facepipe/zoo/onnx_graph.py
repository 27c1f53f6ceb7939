"""Preparing an ONNX graph for fast batches; no step changes what the network computes."""

from typing import Any

import numpy as np

_BATCH = "N"


def free_batch(model: Any) -> None:
    """Let a graph with a fixed batch take any, and drop inputs that are constants or unused.

    A graph may still tie the images of a batch together in other ways: run one to see.

    Args:
        model: an ``onnx.ModelProto``, changed in place.
    """
    graph = model.graph
    constants = {initializer.name for initializer in graph.initializer}
    used = {name for node in graph.node for name in node.input}
    inputs = [value for value in graph.input if value.name in used and value.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in (*graph.input, *graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if dimensions:
            dimensions[0].dim_param = _BATCH
    # The shapes noted along the way may still say the old batch.
    del graph.value_info[:]
    _free_reshapes(graph)


def fold_dequantize(model: Any) -> None:
    """Compute ``DequantizeLinear`` of constants once instead of in each run, blocks included.

    ONNX Runtime leaves them in the graph, and with them the batch norms that it would fold into convolutions.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {initializer.name: initializer for initializer in graph.initializer}
    kept, folded = [], []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(name in constants for name in node.input):
            operands = [numpy_helper.to_array(constants[name]) for name in node.input]
            given = attributes(node)
            axis, block = given.get("axis", 1), given.get("block_size", 0)
            values = dequantize(*operands, axis=axis, block=block)
            folded.append(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    _replace_nodes(graph, kept, folded)


def dequantize(
    quantized: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None, *, axis: int = 1, block: int = 0
) -> np.ndarray:
    """(quantized - zero)·scale, with one scale in all, one per index of ``axis``, or one per block.

    Args:
        quantized: integers of any shape.
        scale: scalar, vector along ``axis``, or shaped as ``quantized`` with ``axis`` divided by ``block``.
        zero: shaped as ``scale``; None is 0.
        axis: of the vector or the blocks.
        block: length of a block along ``axis``, the last one perhaps shorter; 0 for a scalar or vector scale.

    Returns:
        Shaped as ``quantized``, in the type of ``scale``.
    """

    def spread(parameter: np.ndarray) -> np.ndarray:
        if block:
            whole = np.repeat(parameter, block, axis=axis)
            return np.moveaxis(np.moveaxis(whole, axis, 0)[: quantized.shape[axis]], 0, axis)
        if parameter.size == 1:
            return parameter.reshape(())
        shape = [1] * quantized.ndim
        shape[axis] = parameter.size
        return parameter.reshape(shape)

    values = quantized.astype(np.float32)
    if zero is not None and np.any(zero):
        values -= spread(zero).astype(np.float32)
    return np.asarray(values * spread(scale), scale.dtype)


def split_prelu(model: Any) -> None:
    """Write PReLU after a convolution as s·x + (1-s)·relu(x).

    ONNX Runtime keeps maps in its blocked CPU layout over Relu, Mul and Add, but not over PReLU, where it
    goes to the plain layout and back.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {initializer.name: initializer for initializer in graph.initializer}
    makers = {name: node.op_type for node in graph.node for name in node.output}
    nodes, slopes = [], []
    for node in graph.node:
        slope = constants.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or makers.get(node.input[0]) not in ("Conv", "BatchNormalization"):
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        values = numpy_helper.to_array(slope)
        values = values.reshape((1,) * (4 - values.ndim) + values.shape)
        slopes.append(numpy_helper.from_array(values, f"{y}/slope"))
        slopes.append(numpy_helper.from_array((1 - values).astype(values.dtype), f"{y}/rest"))
        nodes += [
            helper.make_node("Mul", [x, f"{y}/slope"], [f"{y}/linear"]),
            helper.make_node("Relu", [x], [f"{y}/relu"]),
            helper.make_node("Mul", [f"{y}/relu", f"{y}/rest"], [f"{y}/positive"]),
            helper.make_node("Add", [f"{y}/linear", f"{y}/positive"], [y]),
        ]
    _replace_nodes(graph, nodes, slopes)


def _free_reshapes(graph: Any) -> None:
    """Let a reshape that repeats the fixed batch take the batch of its input: 0 in its shape means that."""
    from onnx import numpy_helper

    constants = {initializer.name: initializer for initializer in graph.initializer}
    batched = {value.name for value in graph.input}
    changed = []
    for node in graph.node:
        if node.op_type == "Constant" and "value" in attributes(node):
            constants[node.output[0]] = attributes(node)["value"]
        if batched.isdisjoint(node.input):
            continue
        batched.update(node.output)
        if node.op_type != "Reshape" or node.input[1] not in constants or attributes(node).get("allowzero"):
            continue
        shape = numpy_helper.to_array(constants[node.input[1]])
        if len(shape) > 1 and shape[0] == 1:
            name = f"{node.output[0]}/shape"
            changed.append(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), name))
            node.input[1] = name
    graph.initializer.extend(changed)


def attributes(node: Any) -> dict[str, Any]:
    """Attributes of a node by name."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _replace_nodes(graph: Any, nodes: list[Any], initializers: list[Any]) -> None:
    """Set the nodes, add constants, and drop the constants that no node reads."""
    used = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    kept = [value for value in (*graph.initializer, *initializers) if value.name in used]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(kept)
