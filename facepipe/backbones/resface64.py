"""ResFace64, the backbone of ProbFace (Chen et al., 2021): SphereFace-64's layout with batch norm and ReLU.

Stages of 3, 8, 16 and 3 residual units on 64, 128, 256 and 512 channels. The unit is
x + ReLU(BN(conv(ReLU(BN(conv(x)))))); the embedding is BN(fc(map)), no activation.

As in the authors' TensorFlow code: the layout, the initialisation (Glorot uniform; truncated N(0, 0.01²) in
residual units), no biases, batch norm with decay 0.995 and epsilon 1e-3 after every layer including the last, and
SAME padding, which on even sizes pads the right and lower edges only. Two differences: the original L2-normalises
the embedding (here the scores do), and its dropout before fc is omitted. This has not been verified against
published weights.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.registry import register
from facepipe.backbones.same_padding import pad_same
from facepipe.errors import ModelError

_PAPER = "Chen et al., Reliable Probabilistic Face Embeddings in the Wild (ProbFace), 2021"
_CHANNELS = (64, 128, 256, 512)
_UNITS = (3, 8, 16, 3)
_EPS, _MOMENTUM = 1e-3, 0.005  # TensorFlow's decay 0.995 is one minus torch's momentum


class ConvReLU(nn.Module):
    """3×3 convolution without bias, batch norm, ReLU; a stride of 2 pads as TensorFlow's SAME does."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1 if stride == 1 else 0, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPS, momentum=_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        if self.conv.stride[0] == 2:
            x = pad_same(x)
        return F.relu(self.bn(self.conv(x)))


class ResFaceUnit(nn.Module):
    """x + ReLU(BN(conv(ReLU(BN(conv(x))))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvReLU(channels, channels, 1)
        self.second = ConvReLU(channels, channels, 1)
        for conv in (self.first.conv, self.second.conv):
            nn.init.trunc_normal_(conv.weight, std=0.01, a=-0.02, b=0.02)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.second(self.first(x))
        return x + residual


class ResFace64(Backbone):
    """ProbFace's network; ``width`` 0.5 is the half-width variant of its repository."""

    def __init__(self, input_size: tuple[int, int], embedding_dim: int, width: float = 1.0) -> None:
        channels = tuple(8 * round(count * width / 8) for count in _CHANNELS)
        if channels[0] < 8:
            raise ModelError(f"resface64: width {width:g} leaves no channels; use 0.125 or more")
        super().__init__(input_size, embedding_dim, channels[-1], channels)
        stages = []
        for inputs, outputs, count in zip((3, *channels), channels, _UNITS, strict=False):
            transition = ConvReLU(inputs, outputs, 2)
            nn.init.xavier_uniform_(transition.conv.weight)
            stages.append(nn.Sequential(transition, *(ResFaceUnit(outputs) for _ in range(count))))
        self.stage = nn.Sequential(*stages)
        self.fc = nn.Linear(math.prod(self.feature_shape), embedding_dim, bias=False)
        self.bn = nn.BatchNorm1d(embedding_dim, eps=_EPS, momentum=_MOMENTUM)
        nn.init.xavier_uniform_(self.fc.weight)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Outputs of the four stages; at 96×96 their maps are 48×48, 24×24, 12×12 and 6×6."""
        self.check_input(x)
        outputs = []
        for stage in self.stage:
            x = stage(x)
            outputs.append(x)
        return outputs

    def feature_map(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1]

    def head(self, feature_map: Tensor) -> Tensor:
        embedding: Tensor = self.bn(self.fc(feature_map.flatten(1)))
        return embedding


@register(input_size=(96, 96), embedding_dim=256, paper=_PAPER)
def resface64(input_size: tuple[int, int], embedding_dim: int, *, width: float = 1.0) -> ResFace64:
    return ResFace64(input_size, embedding_dim, width)
