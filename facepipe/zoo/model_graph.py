"""A model as one ONNX graph: its backbone and its uncertainty head."""

from typing import Any

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.graphs import Graph
from facepipe.zoo.graph_network import EMBEDDING, HEAD_OUTPUTS
from facepipe.zoo.loading import Model
from facepipe.zoo.torch_graph import graph_of


class _Both(nn.Module):
    """Crops → embedding, and log κ or log σ² where there is a head; named as `facepipe.zoo.headed.Headed` names it."""

    def __init__(self, backbone: Any, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.backbone.maps(x)
        return self.backbone.head(maps[-1]), self.head(maps)


def model_graph(model: Model) -> Graph:
    """``pixels``, normalised as the card says → ``embedding``, and ``log_kappa`` or ``log_sigma2`` of a head.

    Args:
        model: loaded by PyTorch on the processor.

    Raises:
        ModelError: it has no network of PyTorch's, or an operation in that has no counterpart in ONNX.
    """
    if not isinstance(model.network, nn.Module):
        raise ModelError(f"{model.card.name}: its weights are an ONNX file already")
    example = torch.zeros(2, 3, *model.card.input.size)
    if not isinstance(model.head, nn.Module):
        return graph_of(model.network, example, [EMBEDDING])
    names = {kind: name for name, kind in HEAD_OUTPUTS.items()}
    return graph_of(_Both(model.network, model.head), example, [EMBEDDING, names[model.head.kind]])
