"""MobileFaceNet (Chen et al., CCBR 2018, Table 1): bottlenecks with depthwise convolutions, and a global one.

Module names follow Xiaoccer's PyTorch implementation, so that its published checkpoint loads strictly.
"""

import math

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.prelu import PReLU
from facepipe.backbones.registry import register

_PAPER = "Chen et al., MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification, CCBR 2018"
# Table 1: expansion t, output channels c, repeats n, stride s of the first repeat.
_BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class ConvBlock(nn.Module):
    """Convolution without bias, batch norm, and PReLU unless ``linear``."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.Identity() if linear else PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.prelu(self.bn(self.conv(x)))
        return out


class Bottleneck(nn.Module):
    """1×1 expansion, 3×3 depthwise, linear 1×1 projection; with a shortcut if the shape does not change."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            PReLU(inner),
            nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            PReLU(inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


class MobileFaceNet(Backbone):
    """MobileFaceNet for 112×112 or, as Xiaoccer's checkpoint, 112×96 crops.

    Convolutions are initialised with He's normal distribution (fan-out).
    """

    def __init__(self, input_size: tuple[int, int], embedding_dim: int) -> None:
        super().__init__(input_size, embedding_dim, 512, (64, 64, 128, 512))
        self.conv1 = ConvBlock(3, 64, (3, 3), stride=2, padding=1)
        self.dw_conv1 = ConvBlock(64, 64, (3, 3), padding=1, groups=64)
        self.blocks = nn.Sequential(*_bottlenecks())
        self.conv2 = ConvBlock(128, 512, (1, 1))
        self.linear7 = ConvBlock(512, 512, self.feature_shape[1:], groups=512, linear=True)
        self.linear1 = ConvBlock(512, embedding_dim, (1, 1), linear=True)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                height, width = module.kernel_size
                nn.init.normal_(module.weight, std=math.sqrt(2 / (height * width * module.out_channels)))

    def stages(self, x: Tensor) -> list[Tensor]:
        """The last output of each size; at 112×96 their maps are 56×48, 28×24, 14×12 and 7×6."""
        self.check_input(x)
        x = self.dw_conv1(self.conv1(x))
        outputs = []
        for block in self.blocks:
            inner = block(x)
            if inner.shape[2] < x.shape[2]:
                outputs.append(x)
            x = inner
        return [*outputs, self.conv2(x)]

    def feature_map(self, x: Tensor) -> Tensor:
        self.check_input(x)
        out: Tensor = self.conv2(self.blocks(self.dw_conv1(self.conv1(x))))
        return out

    def head(self, feature_map: Tensor) -> Tensor:
        embedding: Tensor = self.linear1(self.linear7(feature_map))
        return embedding.flatten(1)


def _bottlenecks() -> list[Bottleneck]:
    blocks, inputs = [], 64
    for expansion, outputs, repeats, stride in _BOTTLENECKS:
        for repeat in range(repeats):
            blocks.append(Bottleneck(inputs, outputs, stride if repeat == 0 else 1, expansion))
            inputs = outputs
    return blocks


@register(input_size=(112, 96), embedding_dim=128, paper=_PAPER)
def mobilefacenet(input_size: tuple[int, int], embedding_dim: int) -> MobileFaceNet:
    return MobileFaceNet(input_size, embedding_dim)
