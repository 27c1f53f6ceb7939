"""Moving a card's input preprocessing into the graph, which then takes raw pixels."""

from dataclasses import replace

import numpy as np

from facepipe.errors import ModelError
from facepipe.graphs import Graph, Node
from facepipe.zoo import Card, Embedding
from facepipe.zoo.graph_network import HEAD_OUTPUTS


def include_preprocessing(graph: Graph, card: Card) -> Card:
    """Make the graph take RGB pixels from 0 to 255, order and scale them, and combine image and mirror image.

    Args:
        graph: of an embedder, changed in place.
        card: of the model.

    Returns:
        The card of the new graph: without scaling and flip rule, and with the figures that were measured with the
        rule now inside the graph.

    Raises:
        ModelError: the card's flip rule is not one of facepipe's own.
    """
    flip, width = card.embedding.flip, card.input.size[1]
    if flip not in ("none", "sum", "concat"):
        raise ModelError(f"{card.name}: flip rule {flip} has no counterpart in facepipe's ONNX export")
    nodes, last = _scaled(graph, card)
    if flip != "none":
        graph.constants["whole/mirror"] = np.arange(width - 1, -1, -1, dtype=np.int64)
        nodes.append(Node("Gather", [last, "whole/mirror"], ["whole/mirrored"], {"axis": 3}))
        nodes.append(Node("Concat", [last, "whole/mirrored"], ["whole/views"], {"axis": 0}))
        last = "whole/views"
    _rename_input(graph, last)
    graph.nodes[:0] = nodes
    if flip != "none":
        _join(graph, flip)
    return _card(card)


def _scaled(graph: Graph, card: Card) -> tuple[list[Node], str]:
    expected, source = card.input, graph.inputs[0].name
    nodes, last = [], source
    if expected.channels == "bgr":
        graph.constants["whole/order"] = np.array([2, 1, 0], np.int64)
        nodes.append(Node("Gather", [last, "whole/order"], ["whole/bgr"], {"axis": 1}))
        last = "whole/bgr"
    for op, value, name in (("Sub", expected.mean, "whole/centred"), ("Div", expected.scale, "whole/scaled")):
        graph.constants[f"{name}/by"] = np.array(value, np.float32)
        nodes.append(Node(op, [last, f"{name}/by"], [name]))
        last = name
    return nodes, last


def _rename_input(graph: Graph, last: str) -> None:
    source = graph.inputs[0].name
    for node in graph.nodes:
        node.inputs = [last if name == source else name for name in node.inputs]


def _join(graph: Graph, flip: str) -> None:
    """Combine the two halves of each output's rows: the first is of images, the second of mirror images."""
    for output in graph.outputs:
        name = output.name
        for node in graph.nodes:
            node.outputs = [f"{name}/views" if made == name else made for made in node.outputs]
        uncertain = name in HEAD_OUTPUTS
        both = f"{name}/views"
        if uncertain:  # the mean of κ or σ², of which this is the logarithm
            graph.nodes.append(Node("Exp", [both], [f"{both}/exp"]))
            both = f"{both}/exp"
        graph.nodes.append(Node("Split", [both], [f"{name}/straight", f"{name}/mirrored"], {"axis": 0}))
        halves = [f"{name}/straight", f"{name}/mirrored"]
        if uncertain:
            graph.constants[f"{name}/half"] = np.array(0.5, np.float32)
            graph.nodes.append(Node("Add", halves, [f"{name}/added"]))
            graph.nodes.append(Node("Mul", [f"{name}/added", f"{name}/half"], [f"{name}/mean"]))
            graph.nodes.append(Node("Log", [f"{name}/mean"], [name]))
        elif flip == "sum":
            graph.nodes.append(Node("Add", halves, [name]))
        else:
            graph.nodes.append(Node("Concat", halves, [name], {"axis": 1}))
            if output.shape and isinstance(output.shape[1], int):
                output.shape[1] *= 2


def _card(card: Card) -> Card:
    flip = card.embedding.flip
    dim = card.embedding.dim * (2 if flip == "concat" else 1)
    return replace(
        card,
        input=replace(card.input, mean=0.0, scale=1.0, channels="rgb"),
        embedding=Embedding(dim=dim, flip="none"),
        thresholds=tuple(replace(value, flip=None) for value in card.thresholds if value.flip in (None, flip)),
        probabilities=tuple(replace(value, flip=None) for value in card.probabilities if value.flip in (None, flip)),
    )
