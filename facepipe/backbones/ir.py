"""Improved residual networks in the layout of TFace, SCF's program and face.evoLVe: IR-34, IR-50 and IR-101.

The unit is that of `iresnet`, batch norm → conv → batch norm → PReLU → conv (with the stride) → batch norm, with one
difference: if only the size of the map changes, not the number of channels, the shortcut has no weights and takes
every second pixel (max-pooling with kernel 1). SCF's program omits the batch norm after the first convolution;
``inner_norm = false`` is that network. The embedding layers are batch norm → dropout → fc → batch norm without scale
and shift.

Module names and shapes follow TFace (``torchkit/backbone/model_irse.py``) and SCF (``backbones.py``), so that their
checkpoints load strictly.
"""

import math

from torch import Tensor, nn

from facepipe.backbones.backbone import Backbone
from facepipe.backbones.prelu import PReLU
from facepipe.backbones.registry import register

_PAPER = "Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019; as in TFace and SCF"
_CHANNELS = (64, 128, 256, 512)


class PooledUnit(nn.Module):
    """The residual unit; a stride of 2 halves the map, in the second convolution and in the shortcut.

    Args:
        inputs, outputs: channels.
        stride: 1 or 2.
        inner_norm: use a batch norm between the first convolution and PReLU.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, inner_norm: bool) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        norm = [nn.BatchNorm2d(outputs)] if inner_norm else []
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            *norm,
            PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.res_layer(x)
        shortcut: Tensor = self.shortcut_layer(x)
        return residual + shortcut


class IR(Backbone):
    """A network of this layout; ``units`` counts the residual units of each stage.

    ``feature_map`` is the output of the last unit, before the final batch norm and dropout: the input of SCF's kappa
    head. Weights are initialised with He's normal distribution (fan-out).
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        embedding_dim: int,
        units: tuple[int, int, int, int],
        dropout: float,
        inner_norm: bool,
    ) -> None:
        super().__init__(input_size, embedding_dim, _CHANNELS[-1], _CHANNELS)
        self.units = units
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), PReLU(64))
        body = []
        for inputs, outputs, count in zip((64, *_CHANNELS), _CHANNELS, units, strict=False):
            body.append(PooledUnit(inputs, outputs, 2, inner_norm))
            body += [PooledUnit(outputs, outputs, 1, inner_norm) for _ in range(count - 1)]
        self.body = nn.Sequential(*body)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(math.prod(self.feature_shape), embedding_dim),
            nn.BatchNorm1d(embedding_dim, affine=False),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Outputs of the four stages; at 112×112 their maps are 56×56, 28×28, 14×14 and 7×7."""
        self.check_input(x)
        x = self.input_layer(x)
        outputs, unit = [], iter(self.body)
        for count in self.units:
            for _ in range(count):
                x = next(unit)(x)
            outputs.append(x)
        return outputs

    def feature_map(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1]

    def head(self, feature_map: Tensor) -> Tensor:
        embedding: Tensor = self.output_layer(feature_map)
        return embedding


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def ir34(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.4, inner_norm: bool = True) -> IR:
    return IR(input_size, embedding_dim, (3, 4, 6, 3), dropout, inner_norm)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def ir50(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.4, inner_norm: bool = True) -> IR:
    return IR(input_size, embedding_dim, (3, 4, 14, 3), dropout, inner_norm)


@register(input_size=(112, 112), embedding_dim=512, paper=_PAPER)
def ir101(input_size: tuple[int, int], embedding_dim: int, *, dropout: float = 0.4, inner_norm: bool = True) -> IR:
    return IR(input_size, embedding_dim, (3, 13, 30, 3), dropout, inner_norm)
