"""Uncertainty heads: published sizes and constants, each step longhand in NumPy, and outputs that stay finite."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe import uncertainty
from facepipe.backbones import create as create_backbone
from facepipe.errors import ModelError
from facepipe.uncertainty.head import floored, log_kappa

SHAPE, STAGES, DIM = (8, 4, 3), (2, 3, 5, 8), 6
NAMES = uncertainty.names()


def make(name, seed=0, shape=SHAPE, stages=STAGES, **options):
    torch.manual_seed(seed)
    return uncertainty.create(name, feature_shape=shape, embedding_dim=DIM, stage_channels=stages, **options)


def maps(count=5, seed=0, shape=SHAPE, stages=STAGES):
    rng = np.random.default_rng(seed)
    sizes = [(channels, 2 * shape[1], 2 * shape[2]) for channels in stages[:-1]] + [shape]
    return [torch.from_numpy(rng.normal(size=(count, *size)).astype(np.float32)) for size in sizes]


def array(tensor):
    return tensor.detach().double().numpy()


def dense(layer, x):
    out = x @ array(layer.weight).T
    return out if layer.bias is None else out + array(layer.bias)


def batch_norm(layer, x):
    """In evaluation mode, over the second axis."""
    form = (1, -1) + (1,) * (x.ndim - 2)
    out = (x - array(layer.running_mean).reshape(form)) / np.sqrt(array(layer.running_var) + layer.eps).reshape(form)
    if layer.affine:
        out = out * array(layer.weight).reshape(form) + array(layer.bias).reshape(form)
    return out


def relu(x):
    return np.maximum(x, 0)


def shaken(head, seed=1):
    """Every weight and running statistic different from its start, so that a step left out shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in head.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            elif tensor.is_floating_point():
                fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan_in**0.5)
    return head.eval()


def test_names_kinds_and_papers():
    kinds = {name: uncertainty.describe(name).kind for name in NAMES}
    known = {"compact": "kappa", "conv": "kappa", "paper": "kappa", "pfe": "sigma2", "probface": "sigma2"}
    assert kinds | known == kinds
    assert all(uncertainty.describe(name).paper for name in NAMES)


def test_published_sizes():
    """Facts B2 and C2."""
    with torch.device("meta"):
        paper = uncertainty.create("paper", feature_shape=(512, 7, 7), embedding_dim=512)
        pfe = uncertainty.create("pfe", feature_shape=(512, 7, 6), embedding_dim=512)
        net = create_backbone("resface64")
        fused = uncertainty.create(
            "probface", feature_shape=net.feature_shape, embedding_dim=256, stage_channels=net.stage_channels
        )
    assert sum(weight.numel() for weight in paper.parameters()) == 393_404_929
    assert [paper.fc1.out_features, paper.fc2.out_features] == [12544, 6272]
    assert (pfe.layers.fc1.weight.shape, pfe.layers.fc2.weight.shape) == ((512, 21504), (512, 512))
    assert (fused.layers.fc1.weight.shape, fused.layers.fc2.weight.shape) == ((256, 19392), (1, 256))


@pytest.mark.parametrize(("name", "gamma", "beta"), [("pfe", 1e-4, -7.0), ("probface", 0.1, -1.0)])
def test_published_constants(name, gamma, beta):
    layers = make(name).layers
    assert (layers.gamma.item(), layers.beta.item()) == (pytest.approx(gamma), pytest.approx(beta))
    assert layers.gamma.shape == layers.beta.shape == ()
    for norm in (layers.norm1, layers.norm2):
        assert (norm.eps, norm.momentum) == (1e-3, pytest.approx(0.005))
    assert layers.norm1.affine and not layers.norm2.affine
    assert layers.fc1.bias is None and layers.fc2.bias is None


def longhand(name, head, stages):
    last = array(stages[-1])
    flat = last.reshape(len(last), -1)
    if name == "paper":
        x = relu(dense(head.fc2, relu(dense(head.fc1, flat))))
        return np.log(1e-6 + np.exp(dense(head.out, x)))
    if name == "compact":
        parts = []
        for stage in stages:
            places = array(stage).reshape(len(last), stage.shape[1], -1)
            parts += [places.mean(2), places.max(2), np.sqrt(places.var(2) + 1e-8)]
        x = relu(dense(head.hidden, batch_norm(head.norm, np.concatenate(parts, 1))))
        return np.log(1e-6 + np.exp(dense(head.out, x)))
    pooled = [array(stage).mean((2, 3)) for stage in stages] if name == "probface" else []
    layers = head.layers
    x = relu(batch_norm(layers.norm1, dense(layers.fc1, np.concatenate([flat, *pooled], 1))))
    x = batch_norm(layers.norm2, dense(layers.fc2, x))
    return np.log(1e-6 + np.exp(array(layers.gamma) * x + array(layers.beta)))


@pytest.mark.parametrize("name", ["paper", "compact", "pfe", "probface"])
def test_every_step_longhand(name):
    head, stages = shaken(make(name)), maps()
    got, expected = array(head(stages)), longhand(name, head, stages)
    assert got.shape == (5, DIM if name == "pfe" else 1)
    assert np.ptp(expected[:, 0]) > 0.01 and np.abs(expected).max() < 12, "at the bounds all heads are alike"
    # The ceiling of κ at 1e8 is told apart: it takes κ/1e8 away.
    room = np.exp(expected) / 1e8 if head.kind == "kappa" else 0
    assert np.all(np.abs(got - expected) <= 2e-5 * np.abs(expected) + 1.1 * room)


def test_conv_head_longhand():
    """7×6 → 5×4 → 3×2 → 1×1: the last kernel has 3×2."""
    head = shaken(make("conv", shape=(4, 7, 6), stages=())).double()
    assert [tuple(conv.kernel_size) for conv in (head.conv1, head.conv2, head.conv3)] == [(3, 3), (3, 3), (3, 2)]
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64)

    def convolve(layer, x):
        weight = array(layer.weight)
        height, width = weight.shape[2:]
        out = np.zeros((len(x), len(weight), x.shape[2] - height + 1, x.shape[3] - width + 1))
        for row in range(out.shape[2]):
            for column in range(out.shape[3]):
                window = x[:, :, row : row + height, column : column + width]
                out[:, :, row, column] = np.einsum("nchw,dchw->nd", window, weight)
        return out

    y = relu(convolve(head.conv1, array(x)))
    y = relu(batch_norm(head.norm2, convolve(head.conv2, y)))
    y = batch_norm(head.norm3, convolve(head.conv3, y))
    assert y.shape[2:] == (1, 1)
    y = relu(dense(head.fc2, relu(dense(head.fc1, y[:, :, 0, 0]))))
    expected = np.log(1e-6 + np.exp(dense(head.out, y)))
    np.testing.assert_allclose(array(head([x])), expected, rtol=1e-12, atol=np.exp(expected.max()) / 9e7)


@pytest.mark.parametrize("shape", [(512, 7, 7), (128, 7, 6), (16, 1, 1), (8, 2, 9)])
@pytest.mark.parametrize("name", ["compact", "conv", "pfe"])
def test_any_feature_map(name, shape):
    head = make(name, shape=shape, stages=())
    out = head([torch.randn(3, *shape)])
    assert out.shape == (3, head.outputs) and bool(out.isfinite().all())


@pytest.mark.parametrize("name", ["compact", "conv", "paper"])
@pytest.mark.parametrize(("option", "expected"), [({}, DIM), ({"initial_kappa": 500}, 500)])
def test_initial_kappa(name, option, expected):
    kappa = make(name, **option)(maps()).exp()
    np.testing.assert_allclose(array(kappa), expected, rtol=2e-5)


@pytest.mark.parametrize("name", ["conv", "paper"])
def test_a_random_last_layer_is_pytorchs(name):
    """Uniform within ±1/√fan_in, weights and bias, as `torch.nn.Linear` draws them; κ is then about 1."""
    head = make(name, shape=(64, 4, 3), random_last_layer=True)
    bound = 1 / math.sqrt(head.out.in_features)
    assert 0.8 * bound < float(head.out.weight.detach().abs().max()) <= bound
    assert 0 < float(head.out.bias.detach().abs()) <= bound
    kappa = head([torch.randn(8, 64, 4, 3)]).detach().exp()
    assert 0.5 < float(kappa.min()) < float(kappa.max()) < 2


def test_sigma2_starts_as_published():
    """In training mode, the last batch norm makes β the mean of x."""
    assert math.exp(array(make("probface")(maps(200))).mean()) == pytest.approx(math.exp(-1), rel=0.01)
    assert math.exp(array(make("pfe")(maps(200))).mean()) == pytest.approx(math.exp(-7), rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_reaches_every_weight_after_two(name):
    """Last layers of kappa heads start at zero: the first step moves them, the second everything."""
    head, stages = make(name).train(), maps(32)
    before = {key: value.clone() for key, value in head.named_parameters()}
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1)
    weights = torch.randn(32, head.outputs, generator=torch.Generator().manual_seed(3))
    for _ in range(2):
        optimiser.zero_grad()
        (head(stages) * weights).sum().backward()
        optimiser.step()
    assert [key for key, value in head.named_parameters() if torch.equal(before[key], value)] == []


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e4, 1e4))
def test_bounds(out):
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([out], dtype=dtype, requires_grad=True)
        kappa = log_kappa(x)
        kappa.sum().backward()
        assert math.log(1e-6) * 1.0001 <= kappa.item() <= math.log(1e8) * 1.0001
        assert x.grad is not None and 0 <= x.grad.item() <= 1.0001
    if -50 < out < 80:
        exact = math.log(1e-6 + math.exp(out))
        assert floored(torch.tensor(out, dtype=torch.float64)).item() == pytest.approx(exact, rel=1e-12, abs=1e-12)
        if out < math.log(1000):
            assert log_kappa(torch.tensor(out, dtype=torch.float64)).item() == pytest.approx(exact, abs=1.1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_head_in_float32_takes_maps_in_bfloat16(name):
    head = shaken(make(name))
    stages = maps()
    low = head([stage.bfloat16() for stage in stages])
    assert low.dtype == torch.float32
    np.testing.assert_array_equal(array(low), array(head([stage.bfloat16().float() for stage in stages])))


def test_batches_do_not_mix_in_evaluation():
    for name in NAMES:
        head, stages = shaken(make(name)), maps(6)
        alone = torch.cat([head([stage[row : row + 1] for stage in stages]) for row in range(6)])
        np.testing.assert_allclose(array(head(stages)), array(alone), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("compct", {}, "unknown uncertainty head 'compct'; did you mean 'compact'"),
        ("zzz", {}, "choose one of .*conv"),
        ("compact", {"hiden": 3}, "has no option 'hiden'; did you mean 'hidden'"),
        ("compact", {"hidden": 2.5}, "option hidden=2.5: Input should be a valid integer"),
        ("compact", {"stages": 1}, "option stages=1: Input should be a valid boolean"),
        ("paper", {"initial_kappa": float("nan")}, "option initial_kappa=nan: Input should be a finite number"),
        ("paper", {"initial_kappa": -1}, "initial_kappa must be at least 0"),
        ("paper", {"initial_kappa": 5, "random_last_layer": True}, "initial_kappa = 5 and random_last_layer = true"),
        ("pfe", {"decay": 1.0}, "decay must be at least 0 and below 1"),
    ],
)
def test_bad_names_and_options(name, options, message):
    with pytest.raises(ModelError, match=message) as caught:
        uncertainty.create(name, feature_shape=SHAPE, embedding_dim=DIM, stage_channels=STAGES, **options)
    assert "\n" not in str(caught.value)


def test_fusion_needs_stages_and_maps_must_fit():
    with pytest.raises(ModelError, match="no stages to fuse; set fusion = false"):
        make("probface", stages=())
    assert make("probface", stages=(), fusion=False).layers.fc1.in_features == math.prod(SHAPE)
    for name in NAMES:
        with pytest.raises(ModelError, match="the feature map must be N×8×4×3, got 5×8×4×4"):
            make(name)(maps(shape=(8, 4, 4)))
