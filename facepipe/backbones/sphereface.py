"""SphereFace networks of 4, 10, 20, 36 and 64 layers (Liu et al., CVPR 2017, Table 2).

Input 3×112×96. Four stages, each a 3×3 stride-2 convolution followed by residual units; a linear layer
(fc5) outputs the embedding, without activation. The unit is x + PReLU(conv(PReLU(conv(x)))): the second PReLU
precedes the addition and nothing follows it. There is no pooling, dropout or batch normalisation.

The official training files set the learning rate and decay of each kind of parameter, and freeze the biases of
the residual convolutions at zero: ``parameter_groups``. Official files exist only for 20 and 64 layers; the
others follow the same pattern.
"""

import math
from typing import Any

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.prelu import PReLU
from facepipe.backbones.registry import register
from facepipe.errors import ModelError

_PAPER = "Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017"
_CHANNELS = (64, 128, 256, 512)


class ConvPReLU(nn.Module):
    """3×3 convolution, optional batch normalisation, PReLU with one slope per channel."""

    def __init__(self, inputs: int, outputs: int, stride: int, batch_norm: bool) -> None:
        super().__init__()
        # The shift of batch normalisation makes a bias redundant.
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not batch_norm)
        self.bn = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.prelu = PReLU(outputs, init=0.25)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.prelu(self.bn(self.conv(x)))
        return out


class SphereFaceUnit(nn.Module):
    """x + PReLU(conv(PReLU(conv(x)))); weights from N(0, 0.01²), biases zero and frozen."""

    def __init__(self, channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.first = ConvPReLU(channels, channels, 1, batch_norm)
        self.second = ConvPReLU(channels, channels, 1, batch_norm)
        for conv in (self.first.conv, self.second.conv):
            nn.init.normal_(conv.weight, std=0.01)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
                conv.bias.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.second(self.first(x))
        return x + residual


class SphereFace(Backbone):
    """A SphereFace network; ``units`` counts the residual units of each of the four stages.

    Args:
        input_size: (H, W); 112×96 for the published networks.
        embedding_dim: outputs of fc5; 512 in the paper.
        units: residual units per stage.
        batch_norm: normalise after every convolution and after fc5; not in the paper.
        width: multiplies the channels 64, 128, 256, 512, which are rounded to multiples of 8.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        embedding_dim: int,
        units: tuple[int, int, int, int],
        batch_norm: bool = False,
        width: float = 1.0,
    ) -> None:
        channels = _scaled(width)
        super().__init__(input_size, embedding_dim, channels[-1], channels)
        stages = []
        for inputs, outputs, count in zip((3, *channels), channels, units, strict=False):
            transition = ConvPReLU(inputs, outputs, 2, batch_norm)
            _init_xavier(transition.conv)
            residual = [SphereFaceUnit(outputs, batch_norm) for _ in range(count)]
            stages.append(nn.Sequential(transition, *residual))
        self.stage = nn.Sequential(*stages)
        self.fc5 = nn.Linear(math.prod(self.feature_shape), embedding_dim)
        self.bn5 = nn.BatchNorm1d(embedding_dim) if batch_norm else nn.Identity()
        _init_xavier(self.fc5)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Outputs of the four stages; at 112×96 their maps are 56×48, 28×24, 14×12 and 7×6."""
        self.check_input(x)
        outputs = []
        for stage in self.stage:
            x = stage(x)
            outputs.append(x)
        return outputs

    def feature_map(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1]

    def head(self, feature_map: Tensor) -> Tensor:
        embedding: Tensor = self.bn5(self.fc5(feature_map.flatten(1)))
        return embedding

    def published_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """See `parameter_groups`."""
        return parameter_groups(self, lr, weight_decay)


def parameter_groups(
    net: SphereFace, lr: float, weight_decay: float, class_matrix: nn.Parameter | None = None
) -> list[dict[str, Any]]:
    """Optimiser groups with the learning-rate and decay multipliers of the official training files.

    ======================================  =====  =======
    parameters                              lr ×   decay ×
    ======================================  =====  =======
    convolution and fc5 weights             1      1
    PReLU slopes (decayed, as published)    1      1
    transition and fc5 biases               2      0
    residual biases                         0      0        (frozen, in no group)
    class matrix of the loss                1      1
    batch-norm scale, shift (not published) 1      0
    ======================================  =====  =======

    Args:
        net: a network of this file.
        lr: base learning rate; the published one is 0.1.
        weight_decay: base decay; the published one is 5e-4.
        class_matrix: the class matrix of the loss, trained together with the network.

    Returns:
        Groups for ``torch.optim.SGD``, each with ``name``, ``params``, ``lr`` and ``weight_decay``; every
        trained parameter is in exactly one, and empty groups are omitted.
    """
    weights: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
    norms: list[nn.Parameter] = []
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                norms.append(parameter)
            else:
                (biases if name == "bias" else weights).append(parameter)
    groups: list[dict[str, Any]] = [
        {"name": "weights", "params": weights, "lr": lr, "weight_decay": weight_decay},
        {"name": "biases", "params": biases, "lr": 2 * lr, "weight_decay": 0.0},
        {"name": "batch_norm", "params": norms, "lr": lr, "weight_decay": 0.0},
    ]
    if class_matrix is not None:
        groups.append(
            {"name": "class_matrix", "params": [class_matrix], "lr": lr, "weight_decay": weight_decay}
        )
    return [group for group in groups if group["params"]]


def _scaled(width: float) -> tuple[int, ...]:
    channels = tuple(8 * round(count * width / 8) for count in _CHANNELS)
    if channels[0] < 8:
        raise ModelError(f"sphereface: width {width:g} leaves no channels; use 0.125 or more")
    return channels


def _init_xavier(layer: nn.Conv2d | nn.Linear) -> None:
    # Caffe's xavier uses only the fan-in, unlike torch's: U(±√(3/fan_in)).
    bound = math.sqrt(3 / layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def sphereface4(
    input_size: tuple[int, int], embedding_dim: int, *, batch_norm: bool = False, width: float = 1.0
) -> SphereFace:
    return SphereFace(input_size, embedding_dim, (0, 0, 0, 0), batch_norm, width)


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def sphereface10(
    input_size: tuple[int, int], embedding_dim: int, *, batch_norm: bool = False, width: float = 1.0
) -> SphereFace:
    return SphereFace(input_size, embedding_dim, (0, 1, 2, 0), batch_norm, width)


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def sphereface20(
    input_size: tuple[int, int], embedding_dim: int, *, batch_norm: bool = False, width: float = 1.0
) -> SphereFace:
    return SphereFace(input_size, embedding_dim, (1, 2, 4, 1), batch_norm, width)


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def sphereface36(
    input_size: tuple[int, int], embedding_dim: int, *, batch_norm: bool = False, width: float = 1.0
) -> SphereFace:
    return SphereFace(input_size, embedding_dim, (2, 4, 8, 2), batch_norm, width)


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def sphereface64(
    input_size: tuple[int, int], embedding_dim: int, *, batch_norm: bool = False, width: float = 1.0
) -> SphereFace:
    return SphereFace(input_size, embedding_dim, (3, 8, 16, 3), batch_norm, width)
