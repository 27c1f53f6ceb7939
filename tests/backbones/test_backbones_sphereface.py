"""SphereFace networks against figures computed longhand from the published training files."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facepipe import backbones
from facepipe.backbones.sphereface import ConvPReLU, SphereFaceUnit, parameter_groups

UNITS = {4: (0, 0, 0, 0), 10: (0, 1, 2, 0), 20: (1, 2, 4, 1), 36: (2, 4, 8, 2), 64: (3, 8, 16, 3)}
CHANNELS = (64, 128, 256, 512)


def longhand_count(units: tuple[int, ...], fc_inputs: int) -> int:
    """Weights, biases and slopes, added up layer by layer."""
    total, inputs = 0, 3
    for count, channels in zip(units, CHANNELS, strict=True):
        total += 9 * inputs * channels + channels + channels
        total += count * 2 * (9 * channels * channels + channels + channels)
        inputs = channels
    return total + fc_inputs * 512 + 512


@pytest.mark.parametrize("layers", UNITS)
def test_parameter_count(layers):
    info = backbones.describe(f"sphereface{layers}")
    assert info.parameters == longhand_count(UNITS[layers], 21_504)
    with torch.device("meta"):
        modules = list(backbones.create(f"sphereface{layers}").modules())
    # The number in the name counts the convolutions.
    assert sum(isinstance(module, torch.nn.Conv2d) for module in modules) == layers


def test_parameter_count_of_20_in_full():
    transitions = 1_728 + 73_728 + 294_912 + 1_179_648 + 960
    residuals = 2 * 36_864 + 4 * 147_456 + 8 * 589_824 + 2 * 2_359_296 + 128 + 512 + 2_048 + 1_024
    slopes = 960 + 128 + 512 + 2_048 + 1_024
    fc5 = 21_504 * 512 + 512
    assert backbones.describe("sphereface20").parameters == transitions + residuals + slopes + fc5


@pytest.mark.parametrize(("size", "maps"), [((112, 96), (7, 6)), ((112, 112), (7, 7)), ((100, 90), (7, 6))])
def test_shapes(size, maps):
    net = backbones.create("sphereface10", input_size=size, embedding_dim=40, width=0.25).eval()
    x = torch.randn(2, 3, *size)
    stages = net.stages(x)
    assert [stage.shape[1] for stage in stages] == [16, 32, 64, 128] == list(net.stage_channels)
    assert stages[-1].shape == (2, 128, *maps) == (2, *net.feature_shape)
    assert net(x).shape == (2, 40)
    assert torch.equal(net(x), net.head(net.feature_map(x)))
    assert torch.equal(stages[-1], net.feature_map(x))


def test_stage_sizes_of_the_paper():
    net = backbones.create("sphereface4", width=0.125)
    sizes = [tuple(stage.shape[-2:]) for stage in net.stages(torch.zeros(1, 3, 112, 96))]
    assert sizes == [(56, 48), (28, 24), (14, 12), (7, 6)]


def test_residual_unit_longhand():
    """x + PReLU(conv(PReLU(conv(x)))) with loops over pixels, in float64 NumPy."""
    torch.manual_seed(0)
    unit = SphereFaceUnit(2, batch_norm=False).double()
    with torch.no_grad():
        unit.first.conv.weight.normal_()
        unit.second.conv.weight.normal_()
        unit.first.prelu.weight.copy_(torch.tensor([0.1, -0.3]))
        unit.second.prelu.weight.copy_(torch.tensor([0.5, 0.0]))
    x = np.random.default_rng(0).normal(size=(2, 4, 3))

    def conv_prelu(x, weight, slope):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        out = np.zeros_like(x)
        for o in range(2):
            for i in range(x.shape[1]):
                for j in range(x.shape[2]):
                    out[o, i, j] = (weight[o] * padded[:, i : i + 3, j : j + 3]).sum()
        return np.where(out > 0, out, slope[:, None, None] * out)

    state = {name: tensor.numpy() for name, tensor in unit.state_dict().items()}
    first = conv_prelu(x, state["first.conv.weight"], state["first.prelu.weight"])
    expected = x + conv_prelu(first, state["second.conv.weight"], state["second.prelu.weight"])
    got = unit(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


def test_second_prelu_stands_before_the_addition():
    unit = SphereFaceUnit(4, batch_norm=False)
    x = -torch.ones(1, 4, 5, 5)
    torch.nn.init.zeros_(unit.second.conv.weight)
    assert torch.equal(unit(x), x)  # an activation after the addition would scale -1


def test_initial_statistics():
    torch.manual_seed(1)
    net = backbones.create("sphereface20")
    for module in net.modules():
        if isinstance(module, SphereFaceUnit):
            for part in (module.first, module.second):
                weight = part.conv.weight
                # Standard error of a standard deviation: σ/√(2n).
                assert abs(weight.std().item() - 0.01) < 5 * 0.01 / math.sqrt(2 * weight.numel())
        if isinstance(module, ConvPReLU):
            assert torch.all(module.prelu.weight == 0.25)
    for layer, fan_in in [(net.stage[0][0].conv, 27), (net.stage[3][0].conv, 2304), (net.fc5, 21_504)]:
        bound = math.sqrt(3 / fan_in)
        assert layer.weight.abs().max() <= bound
        assert layer.weight.abs().max() > 0.99 * bound
        assert torch.all(layer.bias == 0)


def test_residual_biases_stay_zero_and_frozen():
    torch.manual_seed(0)
    net = backbones.create("sphereface10", width=0.125, input_size=(32, 32), embedding_dim=8)
    optimiser = torch.optim.SGD(parameter_groups(net, 0.1, 5e-4), momentum=0.9)
    moved = net.stage[1][0].conv.bias.detach().clone()
    for _ in range(3):
        optimiser.zero_grad()
        net(torch.randn(4, 3, 32, 32)).square().mean().backward()
        optimiser.step()
    units = [module for module in net.modules() if isinstance(module, SphereFaceUnit)]
    assert len(units) == 3
    for unit in units:
        for part in (unit.first, unit.second):
            assert not part.conv.bias.requires_grad
            assert torch.all(part.conv.bias == 0)
    assert not torch.equal(net.stage[1][0].conv.bias, moved)


def test_parameter_groups_follow_the_table():
    net = backbones.create("sphereface20", width=0.125)
    matrix = torch.nn.Parameter(torch.zeros(7, 512))
    groups = {group["name"]: group for group in parameter_groups(net, 0.1, 5e-4, matrix)}
    rates = {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()}
    assert rates == {"weights": (0.1, 5e-4), "biases": (0.2, 0.0), "class_matrix": (0.1, 5e-4)}
    of = {id(parameter): name for name, group in groups.items() for parameter in group["params"]}
    names = {name: of.get(id(parameter)) for name, parameter in net.named_parameters()}
    assert names["stage.0.0.prelu.weight"] == "weights"
    assert names["stage.0.0.conv.bias"] == "biases" == names["fc5.bias"]
    assert names["stage.0.1.first.conv.bias"] is None
    assert names["stage.0.1.first.conv.weight"] == "weights" == names["fc5.weight"]
    assert sum(group is None for group in names.values()) == 2 * 8
    assert sum(len(group["params"]) for group in groups.values()) == len(of)


def test_parameter_groups_with_batch_norm():
    net = backbones.create("sphereface10", width=0.125, batch_norm=True)
    groups = {group["name"]: group for group in parameter_groups(net, 0.1, 5e-4)}
    assert groups["batch_norm"]["weight_decay"] == 0 and len(groups["biases"]["params"]) == 1
    grouped = {id(p) for group in groups.values() for p in group["params"]}
    assert grouped == {id(p) for p in net.parameters()}


def test_batch_norm_normalises_the_embedding():
    torch.manual_seed(0)
    net = backbones.create("sphereface4", width=0.125, batch_norm=True, embedding_dim=5).train()
    out = net(torch.randn(16, 3, 112, 96))
    assert torch.allclose(out.mean(0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(out.var(0, unbiased=False), torch.ones(5), atol=1e-2)


def test_forward_longhand_of_the_smallest_network():
    torch.manual_seed(3)
    net = backbones.create("sphereface4", width=0.125, embedding_dim=6).eval()
    x = torch.randn(2, 3, 112, 96)
    state, out = net.state_dict(), x
    for stage in range(4):
        name = f"stage.{stage}.0"
        out = F.conv2d(out, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"], stride=2, padding=1)
        out = torch.where(out > 0, out, out * 0.25)
    expected = out.reshape(2, -1) @ state["fc5.weight"].T + state["fc5.bias"]
    assert torch.allclose(net(x), expected, atol=1e-5)
