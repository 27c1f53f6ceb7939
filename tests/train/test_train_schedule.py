"""Learning rates and optimisers against formulas written out."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from facepipe import backbones, losses
from facepipe.errors import ModelError
from facepipe.train.loop.averaging import MovingAverage
from facepipe.train.loop.optimiser import (
    carry_velocity,
    create_optimiser,
    optimiser_tensors,
    restore_optimiser,
    set_rate,
    trained_parameters,
)
from facepipe.train.loop.schedule import rate, total_steps
from facepipe.train.recipe.schema import Optimiser, Schedule


def rates(schedule, steps_per_epoch=1.0):
    return [rate(schedule, step, steps_per_epoch) for step in range(total_steps(schedule, steps_per_epoch))]


def test_multistep_drops_as_caffe_does():
    """SphereFace's solver: base until 15,999, ×0.1 from 16,000, ×0.01 from 24,000 (facts A5)."""
    schedule = Schedule(length=28000, milestones=[16000, 24000])
    values = rates(schedule)
    assert len(values) == 28000
    assert values[:16000] == [1.0] * 16000
    assert values[16000:24000] == pytest.approx([0.1] * 8000)
    assert values[24000:] == pytest.approx([0.01] * 4000)


def test_warmup_cosine_and_polynomial_longhand():
    for name, formula in (
        ("cosine", lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t)) / 2),
        ("polynomial", lambda t: 0.1 + 0.9 * (1 - t) ** 2),
    ):
        schedule = Schedule(name=name, length=10, warmup=4, final=0.1)
        expected = [0.25, 0.5, 0.75, 1.0] + [formula(k / 6) for k in range(6)]
        assert rates(schedule) == pytest.approx(expected)
    assert rates(Schedule(name="constant", length=3, warmup=2)) == [0.5, 1.0, 1.0]


def test_epochs_become_steps():
    schedule = Schedule(name="multistep", unit="epochs", length=4, milestones=[2.5], warmup=0.5)
    assert total_steps(schedule, 10.4) == 42
    values = rates(schedule, 10.4)
    assert values[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert values[25] == 1.0 and values[26] == pytest.approx(0.1)


@pytest.mark.parametrize("wrong", [{"milestones": [5, 3]}, {"warmup": 10}, {"length": 0}])
def test_impossible_schedules(wrong):
    with pytest.raises(ValueError):
        Schedule(**({"length": 10} | wrong))


def test_caffes_momentum_longhand():
    """V ← μV + lr(g + δw), w ← w − V (Caffe's SGDSolver), through two drops of the rate."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(30, 5))
    factors = [1.0] * 10 + [0.1] * 10 + [0.01] * 10
    lr, momentum, decay = 0.3, 0.9, 0.05
    w, velocity = np.ones(5), np.zeros(5)
    parameter = nn.Parameter(torch.ones(5, dtype=torch.float64))
    optimiser = torch.optim.SGD(
        [{"params": [parameter], "base_lr": lr}], lr=lr, momentum=momentum, weight_decay=decay
    )
    plain = []
    for step, (gradient, factor) in enumerate(zip(gradients, factors, strict=True)):
        velocity = momentum * velocity + lr * factor * (gradient + decay * w)
        w = w - velocity
        set_rate(optimiser, factor)
        if step:
            carry_velocity(optimiser, factors[step - 1], factor)
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
        plain.append(abs(parameter.detach().numpy() - w).max())
    assert max(plain) < 1e-13


def sphereface():
    net = backbones.create("sphereface10", input_size=(16, 16), embedding_dim=8, width=0.125)
    return net, losses.create("softmax", 8, 5)


def test_sphereface_groups_have_the_multipliers_of_the_prototxt():
    """Facts A1: weights and PReLU 1/1, transition and fc5 biases 2/0, residual biases frozen, classes 1/1."""
    net, loss = sphereface()
    names = trained_parameters(net, loss)
    optimiser = create_optimiser(Optimiser(lr=0.1, weight_decay=5e-4, groups="sphereface"), net, names)
    found = {
        names[parameter]: (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    assert set(found) == set(names.values())
    assert found["net.fc5.weight"] == found["loss.classes.weight"] == (0.1, 5e-4)
    assert found["net.fc5.bias"] == found["loss.classes.bias"] == (0.2, 0.0)
    assert found["net.stage.0.0.conv.bias"] == (0.2, 0.0)
    assert found["net.stage.1.1.first.prelu.weight"] == (0.1, 5e-4)
    assert not any("first.conv.bias" in name for name in found)
    set_rate(optimiser, 0.1)
    assert sorted({round(group["lr"], 9) for group in optimiser.param_groups}) == [0.01, 0.02]
    with pytest.raises(ModelError, match="'sphereface' does not fit MobileFaceNet"):
        other = backbones.create("mobilefacenet", input_size=(16, 16))
        create_optimiser(Optimiser(groups="sphereface"), other, trained_parameters(other, loss))


def test_no_norm_groups_spare_vectors_from_decay():
    net = backbones.create("mobilefacenet", input_size=(16, 16), embedding_dim=8)
    names = trained_parameters(net, losses.create("arcface", 8, 5))
    optimiser = create_optimiser(Optimiser(groups="no-norm"), net, names)
    for group in optimiser.param_groups:
        assert all((parameter.ndim > 1) == (group["weight_decay"] > 0) for parameter in group["params"])
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(names)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimiser_state_comes_back(name):
    def two_steps(net, loss, optimiser, seed):
        torch.manual_seed(seed)
        for _ in range(2):
            loss(net(torch.randn(6, 3, 16, 16)), torch.arange(6) % 5, 1).loss.backward()
            optimiser.step()
            optimiser.zero_grad()

    settings = Optimiser(name=name, lr=0.01)
    torch.manual_seed(0)
    net, loss = sphereface()
    names = trained_parameters(net, loss)
    optimiser = create_optimiser(settings, net, names)
    two_steps(net, loss, optimiser, 1)
    torch.manual_seed(9)
    other, other_loss = sphereface()
    other.load_state_dict(net.state_dict())
    other_loss.load_state_dict(loss.state_dict())
    other_names = trained_parameters(other, other_loss)
    fresh = create_optimiser(settings, other, other_names)
    restore_optimiser(fresh, other_names, {k: v.clone() for k, v in optimiser_tensors(optimiser, names).items()})
    two_steps(net, loss, optimiser, 2)
    two_steps(other, other_loss, fresh, 2)
    for ours, theirs in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_average_longhand():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = MovingAverage(net, 0.9)
    expected = {name: value.clone().double() for name, value in net.state_dict().items()}
    for step in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(step)
        net(torch.randn(4, 2))
        average.update(net)
        for name, value in net.state_dict().items():
            expected[name] = 0.9 * expected[name] + 0.1 * value.double()
    for name, value in average.net.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value.double(), expected[name], atol=1e-6)
    assert average.net[1].num_batches_tracked == net[1].num_batches_tracked == 5
    assert not average.net.training and not any(p.requires_grad for p in average.net.parameters())
