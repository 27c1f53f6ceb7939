"""Writing an ONNX file; for the field numbers see `facepipe.graphs.reading`."""

from typing import Any

import numpy as np

from facepipe import __version__
from facepipe.graphs.graph import Graph, Node, Outside, Raw, Value, number_of
from facepipe.graphs.wire import Parts, bytes_field, float_field, message, packed_field, varint_field


def graph_bytes(graph: Graph, name: str = "facepipe") -> bytes:
    """The bytes of an ONNX file with this graph.

    Args:
        graph: not changed.
        name: of the graph, which ONNX requires.
    """
    inner: Parts = []
    for node in graph.nodes:
        inner += message(1, _node(node))
    inner.append(bytes_field(2, name))
    for constant, values in graph.constants.items():
        inner += message(5, _constant(constant, values))
    inner += [bytes_field(11, _value(value)) for value in graph.inputs]
    inner += [bytes_field(12, _value(value)) for value in graph.outputs]
    parts = [varint_field(1, graph.ir_version), bytes_field(2, "facepipe"), bytes_field(3, __version__)]
    parts += message(7, inner)
    for domain, version in graph.opset.items():
        parts.append(bytes_field(8, bytes_field(1, domain) + varint_field(2, version)))
    for key, text in graph.metadata.items():
        parts.append(bytes_field(14, bytes_field(1, key) + bytes_field(2, text)))
    parts += [bytes_field(number, raw.data) for number, raw in graph.rest]
    return b"".join(parts)


def _node(node: Node) -> Parts:
    parts = [bytes_field(1, name) for name in node.inputs]
    parts += [bytes_field(2, name) for name in node.outputs]
    parts += [bytes_field(number, text) for number, text in ((3, node.name), (4, node.op)) if text]
    for name, value in node.attributes.items():
        parts += message(5, _attribute(name, value))
    return parts + ([bytes_field(7, node.domain)] if node.domain else [])


def _attribute(name: str, value: Any) -> Parts:
    if isinstance(value, Raw):
        return [value.data]
    head = bytes_field(1, name)
    if isinstance(value, float):
        return [head, float_field(2, value), varint_field(20, 1)]
    if isinstance(value, int):
        return [head, varint_field(3, value), varint_field(20, 2)]
    if isinstance(value, bytes | str):
        return [head, bytes_field(4, value), varint_field(20, 3)]
    if isinstance(value, np.ndarray):
        return [head, *message(5, _tensor("", value)), varint_field(20, 4)]
    if any(isinstance(one, float) for one in value):
        return [head, bytes_field(7, np.array(value, "<f4").tobytes()), varint_field(20, 6)]
    return [head, packed_field(8, value), varint_field(20, 7)]


def _constant(name: str, values: np.ndarray | Raw | Outside) -> Parts:
    if isinstance(values, Raw):
        return [values.data]
    return [_outside(name, values)] if isinstance(values, Outside) else _tensor(name, values)


def _outside(name: str, values: Outside) -> bytes:
    place = {"location": values.file, "offset": str(values.offset), "length": str(values.length)}
    entries = [bytes_field(13, bytes_field(1, key) + bytes_field(2, text)) for key, text in place.items()]
    head = packed_field(1, values.shape) + varint_field(2, values.kind) + bytes_field(8, name)
    return head + b"".join(entries) + varint_field(14, 1)


def _tensor(name: str, values: np.ndarray) -> Parts:
    values = np.asarray(values)
    head = packed_field(1, values.shape) + varint_field(2, number_of(values)) + bytes_field(8, name)
    return [head, *message(9, [np.ascontiguousarray(values).tobytes()])]


def _value(value: Value) -> bytes:
    tensor = varint_field(1, value.kind)
    if value.shape is not None:
        tensor += bytes_field(2, b"".join(bytes_field(1, _side(side)) for side in value.shape))
    return bytes_field(1, value.name) + bytes_field(2, bytes_field(1, tensor))


def _side(side: int | str | None) -> bytes:
    if side is None:
        return b""
    return varint_field(1, side) if isinstance(side, int) else bytes_field(2, side)
