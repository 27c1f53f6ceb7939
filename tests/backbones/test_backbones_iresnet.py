"""IResNet: the layout of arcface_torch, written down here a second time, and the arithmetic of a unit."""

import pytest
import torch
import torch.nn.functional as F

from facepipe import backbones

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}


def batch_norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{key}": (channels,) for key in keys} | {f"{name}.num_batches_tracked": ()}


def expected_shapes(units: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 3, 3), "prelu.weight": (64,)}
    shapes |= batch_norm("bn1", 64)
    inputs = 64
    for layer, (count, channels) in enumerate(zip(units, (64, 128, 256, 512), strict=True), start=1):
        for unit in range(count):
            name = f"layer{layer}.{unit}"
            shapes |= batch_norm(f"{name}.bn1", inputs)
            shapes[f"{name}.conv1.weight"] = (channels, inputs, 3, 3)
            shapes |= batch_norm(f"{name}.bn2", channels)
            shapes[f"{name}.prelu.weight"] = (channels,)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            shapes |= batch_norm(f"{name}.bn3", channels)
            if unit == 0:
                shapes[f"{name}.downsample.0.weight"] = (channels, inputs, 1, 1)
                shapes |= batch_norm(f"{name}.downsample.1", channels)
            inputs = channels
    shapes |= batch_norm("bn2", 512)
    shapes |= {"fc.weight": (512, 25_088), "fc.bias": (512,)}
    return shapes | batch_norm("features", 512)


@pytest.mark.parametrize("layers", UNITS)
def test_state_dict_has_the_public_layout(layers):
    with torch.device("meta"):
        net = backbones.create(f"iresnet{layers}")
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == expected_shapes(UNITS[layers])


@pytest.mark.parametrize(
    ("layers", "count"), [(18, 24_025_600), (34, 34_139_328), (50, 43_590_848), (100, 65_156_160)]
)
def test_parameter_count(layers, count):
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    total = 0
    for name, shape in expected_shapes(UNITS[layers]).items():
        if not name.endswith(buffers):
            size = 1
            for side in shape:
                size *= side
            total += size
    assert backbones.describe(f"iresnet{layers}").parameters == total == count


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return backbones.create("iresnet18", embedding_dim=32).eval()


def test_shapes_and_stages(net):
    x = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        stages = net.stages(x)
        shapes = [tuple(stage.shape[1:]) for stage in stages]
        assert shapes == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
        assert torch.equal(stages[-1], net.feature_map(x))
        assert torch.equal(net(x), net.head(stages[-1]))
        assert net(x).shape == (2, 32)
    assert net.feature_shape == (512, 7, 7)


def test_last_scale_is_fixed_and_eps(net):
    assert not net.features.weight.requires_grad
    assert torch.all(net.features.weight == 1)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-5}
    assert abs(net.layer3[1].conv1.weight.std().item() - 0.1) < 1e-3


def test_unit_longhand():
    """Every operation from its formula, the stride in the second convolution."""
    torch.manual_seed(0)
    unit = backbones.iresnet.ImprovedUnit(3, 5, 2).double().eval()
    state = {}
    with torch.no_grad():
        for name, tensor in unit.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor))
            state[name] = tensor
    x = torch.randn(2, 3, 8, 6, dtype=torch.float64)

    def norm(x, name):
        names = ("running_mean", "running_var", "weight", "bias")
        mean, var, weight, bias = (state[f"{name}.{n}"][:, None, None] for n in names)
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    y = norm(F.conv2d(norm(x, "bn1"), state["conv1.weight"], padding=1), "bn2")
    y = torch.clamp(y, min=0) + state["prelu.weight"][:, None, None] * torch.clamp(y, max=0)
    y = norm(F.conv2d(y, state["conv2.weight"], padding=1, stride=2), "bn3")
    shortcut = norm(F.conv2d(x, state["downsample.0.weight"], stride=2), "downsample.1")
    assert torch.allclose(unit(x), y + shortcut, atol=1e-10)


def test_dropout_option_acts_in_training_only():
    net = backbones.create("iresnet18", input_size=(32, 32), embedding_dim=8, dropout=0.5)
    features = torch.randn(4, *net.feature_shape)
    net.eval()
    assert torch.equal(net.head(features), net.head(features))
    net.dropout.train()
    assert not torch.equal(net.head(features), net.head(features))
