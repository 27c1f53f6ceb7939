"""MobileNet (Howard et al., 2017, Table 1) for faces: PReLU, no stride in the first layer, a dense layer at the end.

This is the architecture of OpenCV's SFace: 112×112 crops, thirteen separable convolutions, 1024×7×7 → 128.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.mobilefacenet import ConvBlock
from facepipe.backbones.narrow import narrow
from facepipe.backbones.registry import register
from facepipe.errors import ModelError

_PAPER = "Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications, 2017"
_FIRST = 32
# Table 1: output channels and stride of each separable convolution; the paper's first layer also has a stride.
_SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


class Separable(nn.Module):
    """Depthwise 3×3, then 1×1, each with batch norm and PReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvBlock(inputs, inputs, (3, 3), stride, padding=1, groups=inputs)
        self.pointwise = ConvBlock(inputs, outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


class MobileNet(Backbone):
    """MobileNet with a dense layer on the flattened map, as usual in face networks.

    Convolutions are initialised with He's normal distribution (fan-out).

    Args:
        input_size: (H, W).
        embedding_dim: D.
        width: multiplier of all channels, which are rounded to multiples of 8.
        reduced: outputs of a linear 1×1 convolution before the dense layer, which otherwise holds most of the
            weights; 0: no such layer.
    """

    narrows: ClassVar[bool] = True

    def __init__(self, input_size: tuple[int, int], embedding_dim: int, width: float, reduced: int) -> None:
        channels = [_scaled(width, outputs) for outputs in (_FIRST, *(outputs for outputs, _ in _SEPARABLE))]
        if reduced < 0:
            raise ModelError(f"backbone mobilenet: option reduced must be 0 or more, got {reduced}")
        last_of_size = [channels[i] for i, (_, stride) in enumerate(_SEPARABLE) if stride == 2]
        super().__init__(input_size, embedding_dim, channels[-1], (*last_of_size[1:], channels[-1]))
        self.conv1 = ConvBlock(3, channels[0], (3, 3), padding=1)
        self.blocks = nn.Sequential(
            *(Separable(channels[i], channels[i + 1], stride) for i, (_, stride) in enumerate(_SEPARABLE))
        )
        self.norm = nn.BatchNorm2d(channels[-1])
        self.reduce = nn.Conv2d(channels[-1], reduced, 1, bias=False) if reduced else nn.Identity()
        pixels = self.feature_shape[1] * self.feature_shape[2]
        self.fc = nn.Linear((reduced or channels[-1]) * pixels, embedding_dim, bias=False)
        self.fc_norm = nn.BatchNorm1d(embedding_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                tall, wide = module.kernel_size
                fan_out = tall * wide * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))

    def stages(self, x: Tensor) -> list[Tensor]:
        """The last output at each resolution below the crop's; for 112×112, 56×56, 28×28, 14×14 and 7×7."""
        self.check_input(x)
        x = self.conv1(x)
        outputs: list[Tensor] = []
        for block in self.blocks:
            inner = block(x)
            if inner.shape[2] < x.shape[2]:
                outputs.append(x)
            x = inner
        return [*outputs[1:], x]

    def separable(self) -> list[Separable]:
        """The thirteen separable convolutions, first to last."""
        return [block for block in self.blocks if isinstance(block, Separable)]

    def layers(self) -> dict[str, nn.Module]:
        """The convolutions, each with its batch norm and PReLU."""
        layers: dict[str, nn.Module] = {"conv1": self.conv1}
        for number, block in enumerate(self.separable()):
            layers[f"blocks.{number}.depthwise"] = block.depthwise
            layers[f"blocks.{number}.pointwise"] = block.pointwise
        return layers

    def narrow_from(self, wider: Backbone, batches: Sequence[Tensor]) -> None:
        """See `facepipe.backbones.narrow`; the wider one has ``reduced = 0``."""
        if not isinstance(wider, MobileNet):
            raise ModelError(f"{type(wider).__name__} is not a mobilenet: it cannot initialise one")
        narrow(self, wider, batches)

    def feature_map(self, x: Tensor) -> Tensor:
        self.check_input(x)
        out: Tensor = self.blocks(self.conv1(x))
        return out

    def head(self, feature_map: Tensor) -> Tensor:
        embedding: Tensor = self.fc_norm(self.fc(self.reduce(self.norm(feature_map)).flatten(1)))
        return embedding


def _scaled(width: float, channels: int) -> int:
    scaled = 8 * round(width * channels / 8)
    if scaled < 1:
        raise ModelError(f"backbone mobilenet: width {width} leaves no channels")
    return scaled


@register(input_size=(112, 112), embedding_dim=128, paper=_PAPER)
def mobilenet(input_size: tuple[int, int], embedding_dim: int, *, width: float = 1.0, reduced: int = 0) -> MobileNet:
    return MobileNet(input_size, embedding_dim, width, reduced)
