"""IR-34, IR-50 and IR-101: the layout of TFace and SCF, written down a second time, and the arithmetic of a unit."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facepipe import backbones
from facepipe.zoo import load
from facepipe.zoo.card import Input
from facepipe.zoo.importing import import_foreign

UNITS = {34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 101: (3, 13, 30, 3)}


def batch_norm(name: str, channels: int, affine: bool = True) -> dict[str, tuple[int, ...]]:
    keys = (("weight", "bias") if affine else ()) + ("running_mean", "running_var")
    return {f"{name}.{key}": (channels,) for key in keys} | {f"{name}.num_batches_tracked": ()}


def expected_shapes(units: tuple[int, ...], inner_norm: bool) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"input_layer.0.weight": (64, 3, 3, 3), "input_layer.2.weight": (64,)}
    shapes |= batch_norm("input_layer.1", 64)
    inputs, number = 64, 0
    for count, channels in zip(units, (64, 128, 256, 512), strict=True):
        for _ in range(count):
            name = f"body.{number}"
            if inputs != channels:
                shapes[f"{name}.shortcut_layer.0.weight"] = (channels, inputs, 1, 1)
                shapes |= batch_norm(f"{name}.shortcut_layer.1", channels)
            shapes |= batch_norm(f"{name}.res_layer.0", inputs)
            shapes[f"{name}.res_layer.1.weight"] = (channels, inputs, 3, 3)
            if inner_norm:
                shapes |= batch_norm(f"{name}.res_layer.2", channels)
            place = 3 if inner_norm else 2
            shapes[f"{name}.res_layer.{place}.weight"] = (channels,)
            shapes[f"{name}.res_layer.{place + 1}.weight"] = (channels, channels, 3, 3)
            shapes |= batch_norm(f"{name}.res_layer.{place + 2}", channels)
            inputs, number = channels, number + 1
    shapes |= batch_norm("output_layer.0", 512)
    shapes |= {"output_layer.3.weight": (512, 25_088), "output_layer.3.bias": (512,)}
    return shapes | batch_norm("output_layer.4", 512, affine=False)


@pytest.mark.parametrize("inner_norm", [True, False])
@pytest.mark.parametrize("layers", UNITS)
def test_state_dict_has_the_public_layout(layers, inner_norm):
    with torch.device("meta"):
        net = backbones.create(f"ir{layers}", inner_norm=inner_norm)
    got = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    assert got == expected_shapes(UNITS[layers], inner_norm)


@pytest.mark.parametrize(("layers", "count"), [(34, 34_134_080), (50, 43_585_600), (101, 65_150_912)])
def test_parameter_count(layers, count):
    """Convolutions, PReLU slopes and norms of each unit, a shortcut at each widening, fc; the last norm has none."""
    total, inputs = 64 * 27 + 3 * 64, 64
    for units, channels in zip(UNITS[layers], (64, 128, 256, 512), strict=True):
        for _ in range(units):
            total += 2 * inputs + 9 * inputs * channels + 2 * channels + channels + 9 * channels**2 + 2 * channels
            total += (inputs * channels + 2 * channels) if inputs != channels else 0
            inputs = channels
    total += 2 * 512 + 25_088 * 512 + 512
    assert backbones.describe(f"ir{layers}").parameters == total == count


def test_stages_and_head():
    torch.manual_seed(0)
    net = backbones.create("ir34", embedding_dim=32).eval()
    x = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        stages = net.stages(x)
        assert [tuple(s.shape[1:]) for s in stages] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
        assert torch.equal(stages[-1], net.body(net.input_layer(x))), "the map before the closing norm, as SCF takes it"
        assert torch.equal(net(x), net.head(stages[-1])) and net(x).shape == (2, 32)
    assert net.feature_shape == (512, 7, 7)


@pytest.mark.parametrize("inner_norm", [True, False])
@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(4, 4, 2), (4, 6, 2), (4, 4, 1)])
def test_unit_longhand(inputs, outputs, stride, inner_norm):
    torch.manual_seed(0)
    unit = backbones.ir.PooledUnit(inputs, outputs, stride, inner_norm).double().eval()
    state = {}
    with torch.no_grad():
        for name, tensor in unit.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor))
            state[name] = tensor
    x = torch.randn(2, inputs, 8, 6, dtype=torch.float64)

    def norm(x, name):
        mean, var, scale, shift = (state[f"{name}.{n}"][:, None, None] for n in
                                   ("running_mean", "running_var", "weight", "bias"))  # fmt: skip
        return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift

    y = F.conv2d(norm(x, "res_layer.0"), state["res_layer.1.weight"], padding=1)
    if inner_norm:
        y = norm(y, "res_layer.2")
    place = 3 if inner_norm else 2
    slope = state[f"res_layer.{place}.weight"][:, None, None]
    y = torch.where(y > 0, y, slope * y)
    y = F.conv2d(y, state[f"res_layer.{place + 1}.weight"], padding=1, stride=stride)
    y = norm(y, f"res_layer.{place + 2}")
    if inputs == outputs:
        shortcut = x[:, :, ::stride, ::stride]
    else:
        taken = torch.einsum("dc,nchw->ndhw", state["shortcut_layer.0.weight"][:, :, 0, 0], x[:, :, ::2, ::2])
        shortcut = norm(taken, "shortcut_layer.1")
    torch.testing.assert_close(unit(x), y + shortcut, rtol=0, atol=1e-10)


def test_first_weights_and_dropout():
    torch.manual_seed(0)
    net = backbones.create("ir34", embedding_dim=64)
    assert net.body[10].res_layer[1].weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 256)), rel=0.01)
    assert net.output_layer[3].weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.01)
    assert not net.output_layer[3].bias.any()
    assert net.output_layer[1].p == 0.4 and not net.output_layer[4].affine


@pytest.mark.slow
@pytest.mark.parametrize("inner_norm", [True, False])
def test_a_checkpoint_of_this_layout_imports(tmp_path, monkeypatch, inner_norm):
    """As TFace saves it: a plain state dict; the embedding's length is read from it."""
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(1)
    theirs = backbones.create("ir34", input_size=(32, 32), embedding_dim=24, inner_norm=inner_norm).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
    torch.save(theirs.state_dict(), tmp_path / "Backbone_Epoch_24.pth")
    given = Input(size=(32, 32), template="112x112", channels="rgb", mean=127.5, scale=127.5)
    options = {"inner_norm": inner_norm}
    card = import_foreign("tface", tmp_path / "Backbone_Epoch_24.pth", backbone="ir34", input=given,
                          backbone_options=options)  # fmt: skip
    assert card.embedding.dim == 24
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(load("tface").network(x), theirs(x))
