"""Reading an ONNX file.

Field numbers are those of onnx.proto: ModelProto 1 ir_version, 7 graph, 8 opset_import, 14 metadata_props;
GraphProto 1 node, 5 initializer, 11 input, 12 output; the others are given with each reader.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import ModelError
from facepipe.files import require_regular
from facepipe.graphs.graph import TYPES, Graph, Node, Outside, Raw, Value
from facepipe.graphs.wire import fields, signed, varints

_NOT_KEPT = {13, 14}
"""Fields of GraphProto that a change invalidates: shapes of intermediate tensors, and annotations on quantisation."""


def read_graph(path: Path, outside: bool = False) -> Graph:
    """The graph in a file, including tensors in external files.

    Args:
        path: of the file.
        outside: leave tensors in external files there, as `Outside`.

    Raises:
        ModelError: the file cannot be read or is not an ONNX file.
    """
    try:
        require_regular(path)
        return parse_graph(path.read_bytes(), None if outside else path.parent)
    except OSError as error:
        other = error.filename if error.filename and Path(error.filename) != path else None
        if other is not None:
            raise ModelError(
                f"{path}: its tensors are in {Path(other).name}, but {other} cannot be read "
            f"({error.strerror or error}); put both files into one folder"
            ) from error
        raise ModelError(f"{path}: cannot read these weights ({error.strerror or error})") from error
    except (KeyError, ValueError, TypeError, OverflowError) as error:  # the bytes are not a message, or not this one
        raise ModelError(f"{path}: damaged, or not an ONNX file") from error


def parse_graph(data: bytes, folder: Path | None = None) -> Graph:
    """The graph in a file's bytes.

    Args:
        data: ModelProto.
        folder: the file's folder, for tensors in external files; None leaves these there, as `Outside`.

    Raises:
        KeyError, ValueError: this is not an ONNX file, or it is truncated.
    """
    graph = Graph([], {}, [], [], {}, {}, 0)
    for number, value in fields(memoryview(data)):
        if number == 1:
            graph.ir_version = _int(value)
        elif number == 7:
            _add_fields(graph, _bytes(value), folder)
        elif number == 8:
            found = dict(fields(_bytes(value)))
            graph.opset[_text(found.get(1))] = _int(found.get(2, 0))
        elif number == 14:
            found = dict(fields(_bytes(value)))
            graph.metadata[_text(found.get(1))] = _text(found.get(2))
        elif number == 25:
            graph.rest.append((number, Raw(bytes(_bytes(value)))))
    if not graph.nodes:
        raise ValueError("no graph")
    return graph


def _add_fields(graph: Graph, data: memoryview, folder: Path | None) -> None:
    for number, value in fields(data):
        if number == 1:
            graph.nodes.append(_node(_bytes(value), folder))
        elif number == 5:
            name, constant = _tensor(_bytes(value), folder)
            graph.constants[name] = constant
        elif number in (11, 12):
            (graph.inputs if number == 11 else graph.outputs).append(_value(_bytes(value)))
        elif number == 15:
            raise ValueError("sparse tensors")


def _node(data: memoryview, folder: Path | None) -> Node:
    """NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain."""
    node = Node("", [], [])
    for number, value in fields(data):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op = _text(value)
        elif number == 5:
            name, attribute = _attribute(_bytes(value), folder)
            node.attributes[name] = attribute
        elif number == 7:
            node.domain = _text(value)
    return node


def _attribute(data: memoryview, folder: Path | None) -> tuple[str, Any]:
    """AttributeProto: 1 name, 2 f, 3 i, 4 s, 5 t, 7 floats, 8 ints, 20 type."""
    name, found, kind = "", [], 0
    for number, value in fields(data):
        if number == 1:
            name = _text(value)
        elif number == 20:
            kind = _int(value)
        elif number != 13:  # its documentation
            found.append((number, value))
    if kind in (6, 7):
        return name, _numbers(found)
    if len(found) == 1 and kind in (0, 1, 2, 3, 4):
        number, value = found[0]
        if number == 2:
            return name, struct.unpack("<f", _bytes(value))[0]
        if number == 3:
            return name, signed(_int(value))
        if number == 4:
            return name, bytes(_bytes(value))
        if number == 5:
            return name, _tensor(_bytes(value), folder)[1]
    if not found and kind in (1, 2, 3):  # zeros may be left out
        return name, {1: 0.0, 2: 0, 3: b""}[kind]
    return name, Raw(bytes(data))


def _numbers(found: list[tuple[int, Any]]) -> list[Any]:
    numbers: list[Any] = []
    for number, value in found:
        if number == 8:
            numbers += [signed(value)] if isinstance(value, int) else varints(value)
        else:
            numbers += np.frombuffer(_bytes(value), "<f4").tolist()
    return numbers


def _tensor(data: memoryview, folder: Path | None) -> tuple[str, np.ndarray | Raw | Outside]:
    """TensorProto: 1 dims, 2 data_type, 4 float_data, 5 int32_data, 7 int64_data, 8 name, 9 raw_data, 10 double_data,
    11 uint64_data, 13 external_data."""
    shape: list[int] = []
    name, kind = "", 0
    outside: dict[str, str] = {}
    parts: list[np.ndarray] = []
    raw: memoryview | None = None
    for number, value in fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else varints(value)
        elif number == 2:
            kind = _int(value)
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = _bytes(value)
        elif number in (4, 10):
            parts.append(np.frombuffer(_bytes(value), "<f4" if number == 4 else "<f8"))
        elif number in (5, 7, 11):
            parts.append(np.array([signed(value)] if isinstance(value, int) else varints(value), np.int64))
        elif number == 13:
            found = dict(fields(_bytes(value)))
            outside[_text(found.get(1))] = _text(found.get(2))
    dtype = TYPES.get(kind)
    if dtype is None:
        return name, Raw(bytes(data))
    if outside and folder is None:
        place = int(outside.get("offset", "0")), int(outside["length"])
        return name, Outside(kind, tuple(shape), outside["location"], *place)
    if outside and folder is not None:
        values = _outside(outside, dtype, int(np.prod(shape, dtype=np.int64)), folder)
    elif raw is not None:
        values = np.frombuffer(raw, dtype)
    else:
        values = np.concatenate(parts) if parts else np.zeros(0, dtype)
        values = values.astype("<u2").view("<f2") if kind == 10 else values.astype(dtype)
    return name, values.reshape(shape)


def _outside(place: dict[str, str], dtype: np.dtype, count: int, folder: Path) -> np.ndarray:
    """A tensor in an external file, which must be in the graph's folder."""
    location = Path(place["location"])
    if location.is_absolute() or ".." in location.parts:
        raise ValueError("a tensor in a file outside the graph's folder")
    offset = int(place.get("offset", "0"))
    if not 0 <= offset <= (folder / location).stat().st_size - count * dtype.itemsize:
        raise ModelError(f"{folder / location}: truncated: not all tensors are there; download it again")
    return np.fromfile(folder / location, dtype, count, offset=offset)


def _value(data: memoryview) -> Value:
    """ValueInfoProto: 1 name, 2 type; TypeProto: 1 tensor_type; its 1 elem_type, 2 shape; of that 1 dim."""
    found = dict(fields(data))
    value = Value(_text(found.get(1)), None, 0)
    for number, kind in fields(_bytes(found.get(2, memoryview(b"")))):
        if number != 1:
            continue
        for inner, part in fields(_bytes(kind)):
            if inner == 1:
                value.kind = _int(part)
            elif inner == 2:
                value.shape = [_side(_bytes(side)) for axis, side in fields(_bytes(part)) if axis == 1]
    return value


def _side(data: memoryview) -> int | str | None:
    """Dimension: 1 dim_value, 2 dim_param."""
    for number, value in fields(data):
        if number == 1:
            return _int(value)
        if number == 2:
            return _text(value)
    return None


def _int(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("not a whole number")
    return value


def _bytes(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError("not bytes")
    return value


def _text(value: Any) -> str:
    return "" if value is None else bytes(_bytes(value)).decode()
