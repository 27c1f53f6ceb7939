"""A network with its batch norms folded against the network as it is."""

import pytest
import torch
from torch import nn

from facepipe import backbones
from facepipe.embedding.fold import fold_batch_norm

CASES = [
    ("mobilefacenet", (112, 96), {}),
    ("sphereface4", (112, 96), {}),
    ("sphereface10", (112, 96), {"batch_norm": True, "width": 0.25}),
    ("iresnet18", (112, 112), {}),
    ("resface64", (96, 96), {"width": 0.125}),
    ("pfe_sphere64", (112, 96), {"width": 0.125}),
    ("ir34", (32, 32), {}),
    ("ir34", (32, 32), {"inner_norm": False}),
]


def trained(name, size, options):
    """A network whose batch norms do something, as after training."""
    torch.manual_seed(3)
    network = backbones.create(name, input_size=size, embedding_dim=16, **options).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


def norms(network):
    return sum(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(("name", "size", "options"), CASES)
@torch.no_grad()
def test_output_stays(name, size, options):
    network = trained(name, size, options)
    x = torch.rand(2, 3, *size) * 2 - 1
    expected, before = network(x), norms(network)
    folded = fold_batch_norm(network)
    torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    if before:
        assert norms(folded) < before


@torch.no_grad()
def test_norms_before_a_convolution_stay():
    network = trained("iresnet18", (112, 112), {})
    fold_batch_norm(network)
    # One in front of each of the eight units, and one in front of the dense layer.
    assert norms(network) == 9


def test_different_widths_are_not_joined():
    odd = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 6), nn.BatchNorm1d(4)).eval()
    assert norms(fold_batch_norm(odd, (1, 1))) == 1


class Crossed(nn.Module):
    """Two convolutions whose norms are declared in the other's place."""

    input_size = (9, 8)

    def __init__(self):
        super().__init__()
        self.conv1, self.norm2 = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.conv2, self.norm1 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x))))


class Twice(nn.Module):
    """A convolution whose output the norm does not have for itself."""

    input_size = (9, 8)

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        straight = self.conv(x)
        return straight + self.norm(straight)


@pytest.mark.parametrize("make", [Crossed, Twice])
@torch.no_grad()
def test_declared_in_another_order_than_run_nothing_is_folded(make):
    torch.manual_seed(0)
    network = make().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -2, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    x, before = torch.rand(2, 3, 9, 8), norms(network)
    expected, state = network(x), list(network.state_dict())
    folded = fold_batch_norm(network)
    assert torch.equal(folded(x), expected)
    assert norms(folded) == before and list(folded.state_dict()) == state


def test_what_cannot_be_checked_is_not_folded():
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    assert norms(fold_batch_norm(layers)) == 1
    assert norms(fold_batch_norm(layers, (2, 2))) == 0


def test_the_global_generator_is_left_alone():
    network = trained("sphereface4", (112, 96), {})
    state = torch.get_rng_state()
    fold_batch_norm(network)
    assert torch.equal(torch.get_rng_state(), state)
