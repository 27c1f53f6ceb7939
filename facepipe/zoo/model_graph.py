"""Convert a model, backbone and uncertainty head, to one ONNX graph."""

from typing import Any

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.graphs import Graph
from facepipe.zoo.graph_network import EMBEDDING, HEAD_OUTPUTS
from facepipe.zoo.loading import Model
from facepipe.zoo.torch_graph import graph_of


class _WithHead(nn.Module):
    """Crops → embedding and log κ or log σ²; with the weight names of `facepipe.zoo.headed.Headed`."""

    def __init__(self, backbone: Any, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.backbone.maps(x)
        return self.backbone.head(maps[-1]), self.head(maps)


def model_graph(model: Model) -> Graph:
    """``pixels``, normalised as on the card → ``embedding``, and ``log_kappa`` or ``log_sigma2`` of a head.

    Args:
        model: loaded by PyTorch on the CPU.

    Raises:
        ModelError: it is not a PyTorch network, or one of its operations is not supported.
    """
    if not isinstance(model.network, nn.Module):
        raise ModelError(f"{model.card.name}: its weights are already an ONNX file")
    example = torch.zeros(2, 3, *model.card.input.size)
    if not isinstance(model.head, nn.Module):
        return graph_of(model.network, example, [EMBEDDING])
    names = {kind: name for name, kind in HEAD_OUTPUTS.items()}
    return graph_of(_WithHead(model.network, model.head), example, [EMBEDDING, names[model.head.kind]])
