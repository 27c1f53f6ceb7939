"""PFE's 64-layer network: counts, TensorFlow's SAME padding and the arithmetic of its parts, longhand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facepipe import backbones
from facepipe.backbones.pfe_sphere64 import PFEUnit, Transition
from facepipe.backbones.same_padding import pad_same
from facepipe.errors import ModelError


def test_parameter_count():
    """models/sphere_net_PFE.py: bias in the four transitions alone, a slope per channel, no bias in fc."""
    total, inputs = 0, 3
    for channels, units in zip((64, 128, 256, 512), (3, 8, 16, 3), strict=True):
        total += 9 * inputs * channels + channels + channels
        total += units * 2 * (9 * channels**2 + channels)
        inputs = channels
    total += 7 * 6 * 512 * 512
    total += 512 + 512  # shift of the last batch norm, and its scale, which is fixed at 1
    assert backbones.describe("pfe_sphere64").parameters == total


def test_shapes_and_depth():
    net = backbones.create("pfe_sphere64", width=0.125).eval()
    with torch.inference_mode():
        stages = net.stages(torch.randn(2, 3, 112, 96))
        assert [tuple(s.shape[1:]) for s in stages] == [(8, 56, 48), (16, 28, 24), (32, 14, 12), (64, 7, 6)]
        assert net(torch.randn(2, 3, 112, 96)).shape == (2, 512)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 65, "4 + 2·30 convolutions and fc"


def same_longhand(x, weight, stride):
    """TensorFlow's rule: ceil(n/stride) outputs; max((out − 1)·stride + 3 − n, 0) zeros, the smaller half first."""
    outs = [-(-n // stride) for n in x.shape]
    pads = [max((out - 1) * stride + 3 - n, 0) for out, n in zip(outs, x.shape, strict=True)]
    padded = np.pad(x, [(p // 2, p - p // 2) for p in pads])
    rows, columns = (range(out) for out in outs)
    return np.array(
        [[(weight * padded[stride * i : stride * i + 3, stride * j : stride * j + 3]).sum() for j in columns]
         for i in rows]
    )  # fmt: skip


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (6, 5), (7, 6)])
def test_transition_pads_as_tensorflow(size):
    torch.manual_seed(0)
    layer = Transition(1, 1).double()
    with torch.no_grad():
        layer.prelu.weight.fill_(0.3)
        layer.conv.bias.fill_(0.2)
    x = np.random.default_rng(0).normal(size=size)
    y = same_longhand(x, layer.conv.weight.detach().numpy()[0, 0], 2) + 0.2
    got = layer(torch.from_numpy(x)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(got, np.where(y > 0, y, 0.3 * y), atol=1e-12)


def test_padding_is_not_pytorchs_on_even_sizes():
    x = torch.randn(1, 1, 6, 6)
    weight = torch.randn(1, 1, 3, 3)
    same, torchs = F.conv2d(pad_same(x), weight, stride=2), F.conv2d(x, weight, stride=2, padding=1)
    assert same.shape == torchs.shape and not torch.allclose(same, torchs)
    x = torch.randn(1, 1, 7, 7)
    torch.testing.assert_close(
        F.conv2d(pad_same(x), weight, stride=2), F.conv2d(x, weight, stride=2, padding=1)
    )


def test_residual_unit_longhand():
    torch.manual_seed(0)
    unit = PFEUnit(3).double()
    with torch.no_grad():
        unit.prelu1.weight.copy_(torch.tensor([0.1, 0.2, 0.3]))
        unit.prelu2.weight.copy_(torch.tensor([0.4, 0.5, 0.6]))
    x = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    y = x
    for conv, prelu in ((unit.conv1, unit.prelu1), (unit.conv2, unit.prelu2)):
        y = F.conv2d(y, conv.weight, padding=1)
        y = torch.clamp(y, min=0) + prelu.weight[:, None, None] * torch.clamp(y, max=0)
    torch.testing.assert_close(unit(x), x + y)


def test_embedding_is_a_batch_norm_with_a_shift_alone():
    net = backbones.create("pfe_sphere64", width=0.125, embedding_dim=8).double().eval()
    with torch.no_grad():
        for tensor in (net.bn.running_mean, net.bn.bias):
            tensor.copy_(torch.randn(8))
        net.bn.running_var.copy_(torch.rand(8) + 0.5)
    features = torch.randn(3, *net.feature_shape, dtype=torch.float64)
    dense = features.flatten(1) @ net.fc.weight.T
    expected = (dense - net.bn.running_mean) / torch.sqrt(net.bn.running_var + 1e-3) + net.bn.bias
    torch.testing.assert_close(net.head(features), expected)
    assert net.fc.bias is None and not net.bn.weight.requires_grad and net.bn.momentum == 0.005


def test_first_weights():
    torch.manual_seed(0)
    net = backbones.create("pfe_sphere64", width=0.25)
    assert {float(m.weight.detach().abs().max()) for m in net.modules() if isinstance(m, torch.nn.PReLU)} == {0.0}
    weight = net.stage[2][1].conv1.weight
    assert weight.abs().max() <= 0.02
    # A normal cut at two sigmas keeps 0.8796 of its standard deviation.
    assert abs(weight.std().item() / 0.01 - 0.8796) < 0.01
    transition = net.stage[3][0].conv
    bound = (6 / (9 * 64 + 9 * 128)) ** 0.5
    assert 0.99 * bound < transition.weight.abs().max() <= bound and not transition.bias.any()
    assert {name for name, _ in net.named_parameters() if name.endswith("conv.bias")} == {
        f"stage.{i}.0.conv.bias" for i in range(4)
    }


def test_width_without_channels():
    with pytest.raises(ModelError, match="no channels"):
        backbones.create("pfe_sphere64", width=0.01)
