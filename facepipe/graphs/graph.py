"""A graph of operations, and ONNX's numbers of data types."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("i1"), 4: np.dtype("<u2"), 5: np.dtype("<i2"),
    6: np.dtype("<i4"), 7: np.dtype("<i8"), 9: np.dtype("?"), 10: np.dtype("<f2"), 11: np.dtype("<f8"),
    12: np.dtype("<u4"), 13: np.dtype("<u8"),
}  # fmt: skip
"""ONNX's number of a data type → NumPy's."""
_NUMBERS = {dtype: number for number, dtype in TYPES.items()}


def number_of(values: np.ndarray) -> int:
    """ONNX's number of an array's data type."""
    return _NUMBERS[values.dtype.newbyteorder("<")]


@dataclass(frozen=True)
class Raw:
    """A field that is not interpreted here, as bytes."""

    data: bytes


@dataclass(frozen=True)
class Outside:
    """A tensor whose values are in another file in the graph's folder, for a graph to be written.

    Attributes:
        kind: ONNX's number of the data type.
        shape: of the tensor.
        file: name of the file.
        offset, length: in bytes.
    """

    kind: int
    shape: tuple[int, ...]
    file: str
    offset: int
    length: int


@dataclass
class Node:
    """One operation.

    Attributes:
        op: its name in ONNX, such as ``Conv``.
        inputs, outputs: names of tensors; an omitted input is empty.
        attributes: name → int, float, bytes, array, list of ints or floats, or `Raw`.
        domain: empty for ONNX's own operations.
    """

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""


@dataclass
class Value:
    """An input or output of the graph.

    Attributes:
        name: of the tensor.
        shape: for each axis a length, a name for any length, or None if unspecified; None if there is no shape.
        kind: ONNX's number of the data type; 1 is float32.
    """

    name: str
    shape: list[int | str | None] | None
    kind: int = 1


@dataclass
class Graph:
    """A network.

    Attributes:
        nodes: in an order in which they can run.
        constants: name → array, or `Raw` if NumPy has no such type; `Outside` only in a graph to be written.
        inputs, outputs: those of the network.
        opset: domain → version of its operations.
        metadata: free text by key.
        ir_version: of the format.
        rest: functions and other fields that are not interpreted here.
    """

    nodes: list[Node]
    constants: dict[str, np.ndarray | Raw | Outside]
    inputs: list[Value]
    outputs: list[Value]
    opset: dict[str, int] = field(default_factory=lambda: {"": 17})
    metadata: dict[str, str] = field(default_factory=dict)
    ir_version: int = 8
    rest: list[tuple[int, Raw]] = field(default_factory=list)

    def constant(self, name: str) -> np.ndarray | None:
        """A constant's values; None if there is none of that name, or it cannot be read."""
        found = self.constants.get(name)
        return found if isinstance(found, np.ndarray) else None

    def drop_unused(self) -> None:
        """Remove constants that no node reads and that are not outputs; keep all if a nested graph may read them."""
        if any(isinstance(value, Raw) for node in self.nodes for value in node.attributes.values()):
            return
        used = {name for node in self.nodes for name in node.inputs} | {value.name for value in self.outputs}
        self.constants = {name: value for name, value in self.constants.items() if name in used}
