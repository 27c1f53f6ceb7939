"""PReLU expressed in operations for which ONNX Runtime keeps its fast layout."""


from facepipe.graphs.graph import Graph, Node


def split_prelu(graph: Graph) -> None:
    """Replace, in place, PReLU after a convolution by s·x + (1-s)·relu(x).

    ONNX Runtime keeps maps in its blocked CPU layout across Relu, Mul and Add, but converts to the plain layout and
    back for PReLU.
    """
    makers = {name: node.op for node in graph.nodes for name in node.outputs}
    nodes = []
    for node in graph.nodes:
        slope = graph.constant(node.inputs[1]) if node.op == "PRelu" else None
        if slope is None or makers.get(node.inputs[0]) not in ("Conv", "BatchNormalization"):
            nodes.append(node)
            continue
        x, y = node.inputs[0], node.outputs[0]
        slope = slope.reshape((1,) * (4 - slope.ndim) + slope.shape)
        graph.constants[f"{y}/slope"] = slope
        graph.constants[f"{y}/rest"] = (1 - slope).astype(slope.dtype)
        nodes += [
            Node("Mul", [x, f"{y}/slope"], [f"{y}/linear"]),
            Node("Relu", [x], [f"{y}/relu"]),
            Node("Mul", [f"{y}/relu", f"{y}/rest"], [f"{y}/positive"]),
            Node("Add", [f"{y}/linear", f"{y}/positive"], [y]),
        ]
    graph.nodes = nodes
    graph.drop_unused()
