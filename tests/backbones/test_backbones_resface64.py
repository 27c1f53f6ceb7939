"""ResFace64: counts, TensorFlow's SAME padding, and the arithmetic of a unit."""

import math

import numpy as np
import pytest
import torch

from facepipe import backbones
from facepipe.backbones.resface64 import ConvReLU, ResFaceUnit
from facepipe.errors import ModelError


def test_parameter_count():
    total, inputs = 0, 3
    for channels, count in zip((64, 128, 256, 512), (3, 8, 16, 3), strict=True):
        total += 9 * inputs * channels + 2 * channels + count * 2 * (9 * channels**2 + 2 * channels)
        inputs = channels
    total += 6 * 6 * 512 * 256 + 2 * 256
    assert backbones.describe("resface64").parameters == total


def test_shapes_and_fusion_width():
    net = backbones.create("resface64", width=0.25).eval()
    with torch.inference_mode():
        stages = net.stages(torch.randn(2, 3, 96, 96))
    assert [tuple(s.shape[1:]) for s in stages] == [(16, 48, 48), (32, 24, 24), (64, 12, 12), (128, 6, 6)]
    with torch.device("meta"):
        full = backbones.create("resface64")
    # Flattened map beside the pooled stages: the width of ProbFace's fused input.
    assert math.prod(full.feature_shape) + sum(full.stage_channels) == 19_392


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (6, 5)])
def test_same_padding_longhand(size):
    """Output ceil(n/2); pad max((out-1)*2+3-n, 0), the smaller half first."""
    torch.manual_seed(0)
    layer = ConvReLU(1, 1, 2).double().eval()
    layer.bn.eps = 0
    x = np.random.default_rng(0).normal(size=size)
    weight = layer.conv.weight.detach().numpy()[0, 0]
    outs = [-(-n // 2) for n in size]
    pads = [max((out - 1) * 2 + 3 - n, 0) for out, n in zip(outs, size, strict=True)]
    padded = np.pad(x, [(p // 2, p - p // 2) for p in pads])
    expected = np.array(
        [[(weight * padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3]).sum() for j in range(outs[1])]
         for i in range(outs[0])]
    )
    got = layer(torch.from_numpy(x)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(got, np.maximum(expected, 0), atol=1e-12)


def test_residual_unit_longhand():
    torch.manual_seed(0)
    unit = ResFaceUnit(3).double().eval()
    x = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    y = x
    for part in (unit.first, unit.second):
        y = torch.nn.functional.conv2d(y, part.conv.weight, padding=1) / math.sqrt(1 + 1e-3)
        y = torch.clamp(y, min=0)
    assert torch.allclose(unit(x), x + y, atol=1e-14)


def test_initial_statistics_and_norms():
    torch.manual_seed(0)
    net = backbones.create("resface64", width=0.25)
    weight = net.stage[2][1].first.conv.weight
    assert weight.abs().max() <= 0.02
    # A normal cut at two sigmas keeps 0.8796 of its standard deviation.
    assert abs(weight.std().item() / 0.01 - 0.8796) < 0.01
    assert {m.eps for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-3}
    assert net.bn.momentum == 0.005
    assert not any(name.endswith("conv.bias") for name, _ in net.named_parameters())


def test_width_without_channels():
    with pytest.raises(ModelError, match="no channels"):
        backbones.create("resface64", width=0.01)
