"""The 64-layer network of PFE (Shi and Jain, ICCV 2019): SphereFace-64's layout, as in their TensorFlow program.

Stages of 3, 8, 16 and 3 residual units x + PReLU(conv(PReLU(conv(x)))) on 64, 128, 256 and 512 channels, each after a
3×3 convolution of stride 2 with PReLU. Differences from `sphereface64` (PFE, ``models/sphere_net_PFE.py``):

* SAME padding, which on maps of even size pads the right and lower edges only;
* the embedding is BN(fc(map)); fc has no bias, the batch norm (decay 0.995, epsilon 1e-3) a shift but no scale;
* PReLU slopes are initially 0; residual convolutions have no bias and are initialised from N(0, 0.01²) truncated at two
  sigmas, the others from Glorot's uniform distribution.

The original L2-normalises the embedding; here the scores do. This has not been verified against published weights.
"""

import math

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.prelu import PReLU
from facepipe.backbones.registry import register
from facepipe.backbones.same_padding import pad_same
from facepipe.errors import ModelError

_PAPER = "Shi and Jain, Probabilistic Face Embeddings, ICCV 2019"
_CHANNELS = (64, 128, 256, 512)
_UNITS = (3, 8, 16, 3)
_EPS, _MOMENTUM = 1e-3, 0.005  # TensorFlow's decay 0.995 is one minus torch's momentum


class Transition(nn.Module):
    """3×3 convolution of stride 2 with bias and SAME padding, PReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2)
        self.prelu = PReLU(outputs, init=0.0)
        nn.init.xavier_uniform_(self.conv.weight)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.prelu(self.conv(pad_same(x)))
        return out


class PFEUnit(nn.Module):
    """x + PReLU(conv(PReLU(conv(x)))), 3×3 without bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.prelu1 = PReLU(channels, init=0.0)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.prelu2 = PReLU(channels, init=0.0)
        for conv in (self.conv1, self.conv2):
            nn.init.trunc_normal_(conv.weight, std=0.01, a=-0.02, b=0.02)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.prelu2(self.conv2(self.prelu1(self.conv1(x))))
        return x + residual


class PFESphere64(Backbone):
    """PFE's network; ``width`` multiplies its channels, which are rounded to multiples of 8."""

    def __init__(self, input_size: tuple[int, int], embedding_dim: int, width: float = 1.0) -> None:
        channels = tuple(8 * round(count * width / 8) for count in _CHANNELS)
        if channels[0] < 8:
            raise ModelError(f"pfe_sphere64: width {width:g} leaves no channels; use 0.125 or more")
        super().__init__(input_size, embedding_dim, channels[-1], channels)
        stages = []
        for inputs, outputs, count in zip((3, *channels), channels, _UNITS, strict=False):
            stages.append(nn.Sequential(Transition(inputs, outputs), *(PFEUnit(outputs) for _ in range(count))))
        self.stage = nn.Sequential(*stages)
        self.fc = nn.Linear(math.prod(self.feature_shape), embedding_dim, bias=False)
        self.bn = nn.BatchNorm1d(embedding_dim, eps=_EPS, momentum=_MOMENTUM)
        self.bn.weight.requires_grad_(False)
        nn.init.xavier_uniform_(self.fc.weight)

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
        embedding: Tensor = self.bn(self.fc(feature_map.flatten(1)))
        return embedding


@register(input_size=(112, 96), embedding_dim=512, paper=_PAPER)
def pfe_sphere64(input_size: tuple[int, int], embedding_dim: int, *, width: float = 1.0) -> PFESphere64:
    return PFESphere64(input_size, embedding_dim, width)
