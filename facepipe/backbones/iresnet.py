"""Improved residual networks of 18, 34, 50 and 100 layers, as insightface trains them for ArcFace.

The unit is batch norm → conv → batch norm → PReLU → conv (with the stride) → batch norm, plus a 1×1 shortcut
where the shape changes (Deng et al., ArcFace, CVPR 2019, Sec. 3). Module names and shapes follow insightface's
``arcface_torch``, so that its published checkpoints load strictly; hence the name ``features`` of the last batch
norm.
"""

import math

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.prelu import PReLU
from facepipe.backbones.registry import register

_PAPER = "Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019"
_CHANNELS = (64, 128, 256, 512)
_EPS = 1e-5


class ImprovedUnit(nn.Module):
    """The residual unit; a stride of 2 halves the map and adds a shortcut convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps=_EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=_EPS)
        self.prelu = PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps=_EPS)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs, eps=_EPS))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        residual: Tensor = self.bn3(self.conv2(inner))
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        return residual + shortcut


class IResNet(Backbone):
    """An improved residual network; ``units`` counts the residual units of each stage.

    ``feature_map`` is the output of the last stage, before the final batch norm: the input of SCF's kappa head.
    Convolutions are initialised from N(0, 0.1²); the scale of the last batch norm is fixed at 1.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        embedding_dim: int,
        units: tuple[int, int, int, int],
        dropout: float = 0.0,
    ) -> None:
        super().__init__(input_size, embedding_dim, _CHANNELS[-1], _CHANNELS)
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64, eps=_EPS)
        self.prelu = PReLU(64)
        self.layer1 = _stage(64, 64, units[0])
        self.layer2 = _stage(64, 128, units[1])
        self.layer3 = _stage(128, 256, units[2])
        self.layer4 = _stage(256, 512, units[3])
        self.bn2 = nn.BatchNorm2d(512, eps=_EPS)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(math.prod(self.feature_shape), embedding_dim)
        self.features = nn.BatchNorm1d(embedding_dim, eps=_EPS)
        self.features.weight.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.1)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Outputs of the four stages; at 112×112 their maps are 56×56, 28×28, 14×14 and 7×7."""
        self.check_input(x)
        x = self.prelu(self.bn1(self.conv1(x)))
        outputs = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            outputs.append(x)
        return outputs

    def feature_map(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1]

    def head(self, feature_map: Tensor) -> Tensor:
        flat = self.dropout(self.bn2(feature_map).flatten(1))
        embedding: Tensor = self.features(self.fc(flat))
        return embedding


def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
    rest = (ImprovedUnit(outputs, outputs, 1) for _ in range(units - 1))
    return nn.Sequential(ImprovedUnit(inputs, outputs, 2), *rest)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def iresnet18(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.0) -> IResNet:
    return IResNet(input_size, embedding_dim, (2, 2, 2, 2), dropout)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def iresnet34(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.0) -> IResNet:
    return IResNet(input_size, embedding_dim, (3, 4, 6, 3), dropout)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def iresnet50(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.0) -> IResNet:
    return IResNet(input_size, embedding_dim, (3, 4, 14, 3), dropout)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def iresnet100(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.0) -> IResNet:
    return IResNet(input_size, embedding_dim, (3, 13, 30, 3), dropout)
