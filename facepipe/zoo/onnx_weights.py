"""Copy the weights of an ONNX graph into a facepipe network with the same layers."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from facepipe.errors import ModelError
from facepipe.graphs import read_graph
from facepipe.graphs.batch import free_batch
from facepipe.graphs.constants import fold_constants

_KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "Conv": (nn.Conv2d,),
    "BatchNormalization": (nn.BatchNorm1d, nn.BatchNorm2d),
    "PRelu": (nn.PReLU,),
    "Gemm": (nn.Linear,),
}


@torch.no_grad()
def load_onnx_weights(network: nn.Module, path: Path) -> None:
    """Copy the weights of a graph into a network, in place, layer by layer.

    The graph's convolutions, batch norms, PReLUs and dense layers must be those of the network, in the order of its
    modules. A dense layer's bias is absorbed by the following batch norm. Normalisation of pixels at the start of the
    graph is not copied: the network expects crops normalised in that way.

    Args:
        network: in float32, on the CPU.
        path: the ONNX file; quantised weights are dequantised.

    Raises:
        ModelError: the file is damaged, or its layers are not those of the network.
    """
    layers = [module for module in network.modules() if isinstance(module, sum(_KINDS.values(), ()))]
    nodes = list(_weighted_nodes(path))
    name = type(network).__name__
    if len(nodes) != len(layers):
        raise ModelError(f"{path}: {len(nodes)} layers with weights, but {name} has {len(layers)}")
    bias: torch.Tensor | None = None
    for number, ((kind, tensors, epsilon), layer) in enumerate(zip(nodes, layers, strict=True), 1):
        if not isinstance(layer, _KINDS[kind]):
            raise ModelError(f"{path}: layer {number} is {kind}, but that of {name} is {type(layer).__name__}")
        try:
            bias = _load_layer(layer, tensors, epsilon, bias)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: layer {number} ({kind}) does not match {name}: {error}") from error
    if bias is not None:
        raise ModelError(f"{path}: the last layer has a bias, but that of {name} has none")


def _weighted_nodes(path: Path) -> Iterator[tuple[str, list[torch.Tensor], float]]:
    """Kind, weights and epsilon of each layer with weights, in the order of the graph."""
    graph = read_graph(path)
    free_batch(graph)
    fold_constants(graph)
    for node in graph.nodes:
        if node.op in _KINDS:
            found = [graph.constant(name) for name in node.inputs]
            tensors = [torch.tensor(values) for values in found if values is not None]
            yield node.op, tensors, float(node.attributes.get("epsilon", 1e-5))


def _load_layer(
    layer: nn.Module, tensors: list[torch.Tensor], epsilon: float, bias: torch.Tensor | None
) -> torch.Tensor | None:
    """Copy the weights of a layer; returns a bias that the next layer must absorb."""
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        gain, shift, mean, variance = tensors
        values = (gain, shift, mean if bias is None else mean - bias, variance + epsilon - layer.eps)
        targets = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
        for target, value in zip(targets, values, strict=True):
            assert target is not None
            _copy(target, value)
        return None
    if bias is not None:
        raise ValueError("the previous layer has a bias, and this is not a batch norm")
    assert isinstance(layer, nn.Conv2d | nn.Linear | nn.PReLU)
    _copy(layer.weight, tensors[0].flatten() if isinstance(layer, nn.PReLU) else tensors[0])
    layer_bias = getattr(layer, "bias", None)
    if layer_bias is not None:
        _copy(layer_bias, tensors[1] if len(tensors) > 1 else torch.zeros_like(layer_bias))
        return None
    return tensors[1] if len(tensors) > 1 else None


def _copy(target: torch.Tensor, value: torch.Tensor) -> None:
    if target.shape != value.shape:
        raise ValueError(f"shape {tuple(value.shape)} for {tuple(target.shape)}")
    target.copy_(value)
