"""ONNX graphs as plain values: reading, changing and writing them without the package ``onnx``.

The format is Protocol Buffers (https://onnx.ai/onnx/repo-docs/IR.html); fields not needed here are kept as bytes.
"""

from facepipe.graphs.graph import Graph, Node, Value
from facepipe.graphs.reading import parse_graph, read_graph
from facepipe.graphs.writing import graph_bytes

__all__ = ["Graph", "Node", "Value", "graph_bytes", "parse_graph", "read_graph"]
