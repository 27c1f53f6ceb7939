"""What holds for every loss: registry, precision, finite gradients, shards, gradcheck, learning."""

import copy

import losses_longhand as longhand
import pytest
import torch

from facepipe import losses
from facepipe.errors import DatasetError, ModelError
from facepipe.losses.classification.angle import angle, sine, unit_rows

DIM, CLASSES = 4, 7
X, W, Y = longhand.batch(n=13, d=DIM, c=CLASSES, seed=4)
FEATURES, LABELS = torch.from_numpy(X), torch.from_numpy(Y)

VARIANTS = [(name, {}) for name in losses.names()] + [
    ("a_softmax", {"gradient": "autograd"}),
    ("a_softmax", {"m": 2}),
    ("a_softmax", {"m": 3}),
    ("cosface", {"projected": True}),
    ("normface", {"learned": True}),
    ("sphereface_plus", {"gradient": "autograd", "energy": "batch"}),
    ("sphereface_r", {"version": "v0", "norm": "soft"}),
    ("sphereface_r", {"version": "v1", "norm": "none", "gradient": "autograd"}),
    ("sphereface_r", {"gradient": "autograd", "projected": False}),
    ("sphereface2", {"gradient": "characteristic", "projected": False}),
    ("contrastive", {"softmax": False, "normalised": False}),
    ("center", {"softmax": False}),
    ("triplet", {"mining": "all"}),
]
IDS = ["-".join([name, *map(str, options.values())]) for name, options in VARIANTS]
SHARDABLE = [(name, options) for name, options in VARIANTS if name not in (
    "center", "contrastive", "sphereface_plus", "triplet"
)]  # fmt: skip


def make(name, options, seed=0):
    torch.manual_seed(seed)
    return losses.create(name, DIM, CLASSES, **options).eval()


def differentiate(loss, features, labels=LABELS, step=3):
    features = features.clone().requires_grad_()
    loss.zero_grad()
    output = loss(features, labels, step)
    output.loss.backward()
    return output, features.grad, [p.grad for p in loss.parameters() if p.grad is not None]


def own_weights(loss):
    part = getattr(loss, "identification", loss)
    return part.classes.weight if hasattr(part, "classes") else None


def test_names_and_aliases():
    assert losses.names() == sorted(losses.names())
    assert set(losses.names()) >= {
        "a_softmax", "arcface", "center", "contrastive", "cosface", "l_softmax", "modified_softmax",
        "normface", "softmax", "sphereface2", "sphereface_plus", "sphereface_r", "triplet",
    }  # fmt: skip
    assert losses.describe("sphereface") == losses.describe("a_softmax")
    assert losses.describe("am_softmax").name == "cosface"
    assert losses.describe("cosface").options == {"s": 64.0, "m": 0.35, "projected": False}
    assert all("20" in losses.describe(name).paper for name in losses.names())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("arcfase", {}, "did you mean 'arcface'"),
        ("nothing like it", {}, "unknown loss"),
        ("sphereface_r", {"loss_wieght": 1.0}, "did you mean 'loss_weight'"),
        ("cosface", {"colour": 1.0}, "choose one of s, m, projected"),
        ("arcface", {"m": 4.0}, "m=4.0"),
        ("arcface", {"s": float("nan")}, "s=nan"),
        ("arcface", {"s": float("inf")}, "s=inf"),
        ("cosface", {"s": "large"}, "s='large'"),
        ("a_softmax", {"m": 5}, "m=5"),
        ("a_softmax", {"gradient": "exact"}, "gradient='exact'"),
        ("sphereface_r", {"milestones": ["soon"]}, "milestones"),
        ("sphereface2", {"lam": 1.0}, "lam=1.0"),
        ("triplet", {"mining": "hard"}, "mining='hard'"),
    ],
)
def test_bad_names_and_options(name, options, message):
    with pytest.raises(ModelError, match=message) as caught:
        losses.create(name, DIM, CLASSES, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("dim", "classes"), [(0, 5), (4, 1), (4.0, 5)])
def test_bad_sizes(dim, classes):
    with pytest.raises(ModelError, match="must be an integer"):
        losses.create("cosface", dim, classes)


@pytest.mark.parametrize("name", losses.names())
def test_bad_batches(name):
    loss = make(name, {})
    with pytest.raises(ModelError, match="embedding_dim"):
        loss(torch.zeros(3, DIM + 1), torch.tensor([0, 1, 2]), 1)
    with pytest.raises(DatasetError, match="one integer class index"):
        loss(torch.zeros(3, DIM), torch.tensor([0, 1]), 1)
    with pytest.raises(DatasetError, match="one integer class index"):
        loss(torch.zeros(2, DIM), torch.tensor([0.0, 1.0]), 1)
    if own_weights(loss) is not None:
        for label in (-1, CLASSES):
            with pytest.raises(DatasetError, match="num_classes"):
                loss(torch.zeros(2, DIM), torch.tensor([0, label]), 1)


def test_a_new_margin_is_one_function():
    @losses.register_margin(paper="none")
    def shouting(cosine, norm, label, step, *, volume: float = 2.0):
        return volume * cosine

    try:
        got = losses.create("shouting", DIM, CLASSES, volume=3.0)
        torch.manual_seed(1)
        assert losses.describe("shouting").options == {"volume": 2.0, "projected": False}
        expected = losses.create("normface", DIM, CLASSES, s=3.0)
        expected.classes.load_state_dict(got.classes.state_dict())
        assert got(FEATURES, LABELS, 1).loss == expected(FEATURES, LABELS, 1).loss
    finally:
        losses.registry.LOSSES.remove("shouting")


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_float32_is_near_float64(name, options):
    single = make(name, options)
    double = copy.deepcopy(single).double()
    output, on_x, on_parameters = differentiate(single, FEATURES.float())
    exact, exact_x, exact_parameters = differentiate(double, FEATURES.float().double())
    assert output.loss.dtype == torch.float32
    torch.testing.assert_close(output.loss.double(), exact.loss, rtol=1e-5, atol=1e-6)
    scale = exact_x.abs().max().item()
    torch.testing.assert_close(on_x.double(), exact_x, rtol=1e-4, atol=1e-5 * scale)
    for got, wanted in zip(on_parameters, exact_parameters, strict=True):
        atol = 1e-5 * max(scale, wanted.abs().max().item())
        torch.testing.assert_close(got.double(), wanted, rtol=1e-4, atol=atol)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_features_are_computed_in_float32(name, options, dtype):
    loss = make(name, options)
    coarse = FEATURES.to(dtype)
    expected, expected_x, _ = differentiate(loss, coarse.float())
    coarse.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = loss(coarse, LABELS, 3)
    output.loss.backward()
    assert output.loss.dtype == torch.float32 and coarse.grad.dtype == dtype
    torch.testing.assert_close(output.loss, expected.loss)
    torch.testing.assert_close(coarse.grad, expected_x.to(dtype))


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_stay_finite_at_the_poles_and_at_zero(name, options, dtype):
    loss = make(name, options).to(dtype)
    weight = own_weights(loss)
    directions = torch.eye(CLASSES, DIM, dtype=dtype)
    directions[DIM:] = directions[0] + directions[1]
    if weight is not None:
        with torch.no_grad():
            weight.copy_(directions)
            weight[-1] = 0  # a class without a direction
    features = torch.cat([directions, -2 * directions, torch.zeros(2, DIM, dtype=dtype)])
    labels = torch.cat([torch.arange(CLASSES), torch.arange(CLASSES), torch.tensor([0, CLASSES - 1])])
    output, on_x, on_parameters = differentiate(loss, features, labels, step=5000)
    assert torch.isfinite(output.loss)
    assert torch.isfinite(on_x).all()
    assert on_x.abs().max() < 1e4
    assert all(torch.isfinite(gradient).all() for gradient in on_parameters)


def test_safe_angles():
    c = torch.tensor([-1.0, -0.3, 0.0, 0.7, 1.0], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(angle(c), torch.arccos(c))
    torch.testing.assert_close(sine(c), torch.sqrt(1 - c * c))
    (slope,) = torch.autograd.grad(angle(c).sum(), c)
    torch.testing.assert_close(slope[1:4], -1 / torch.sqrt(1 - c[1:4] ** 2).detach())
    assert slope[0] == 0 and slope[4] == 0
    zero = torch.zeros(1, 3, requires_grad=True)
    rows, norm = unit_rows(zero)
    rows.sum().backward()
    assert (rows == 0).all() and (norm == 0).all() and (zero.grad == 0).all()


@pytest.mark.parametrize(("name", "options"), SHARDABLE)
def test_shards_equal_the_whole(name, options):
    whole = make(name, options).double()
    first, second = copy.deepcopy(whole), copy.deepcopy(whole)
    first.keep_shard(0, 3)
    second.keep_shard(3, CLASSES)
    expected, expected_x, _ = differentiate(whole, FEATURES)
    x = FEATURES.clone().requires_grad_()
    shards = (first, second)
    logits = torch.cat([shard.logits(x, LABELS, 3) for shard in shards], dim=1)
    torch.testing.assert_close(logits, whole.logits(x, LABELS, 3), atol=1e-12, rtol=0)
    output = first.total(torch.stack([shard.partial(x, LABELS, 3) for shard in shards]), 3)
    output.loss.backward()
    torch.testing.assert_close(output.loss, expected.loss, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(x.grad, expected_x, atol=1e-12, rtol=1e-12)
    joined = torch.cat([shard.classes.weight.grad for shard in shards])
    torch.testing.assert_close(joined, whole.classes.weight.grad, atol=1e-12, rtol=1e-12)
    assert output.logged.keys() == expected.logged.keys()
    for key, value in expected.logged.items():
        torch.testing.assert_close(output.logged[key], value)


@pytest.mark.parametrize(("name", "options"), SHARDABLE)
def test_each_rank_may_detach_the_others(name, options):
    whole = make(name, options).double()
    _, expected_x, _ = differentiate(whole, FEATURES)
    expected_parameters = {key: p.grad for key, p in whole.named_parameters() if key.startswith("head.")}
    shards = []
    for first, stop in ((0, 2), (2, CLASSES)):
        shard = copy.deepcopy(whole)
        shard.zero_grad()
        shard.keep_shard(first, stop)
        shards.append(shard)
    x = FEATURES.clone().requires_grad_()
    for rank, shard in enumerate(shards):
        parts = [other.partial(x.detach(), LABELS, 3).detach() for other in shards]
        parts[rank] = shard.partial(x, LABELS, 3)
        shard.total(torch.stack(parts), 3).loss.backward()  # x.grad is summed over the ranks
    torch.testing.assert_close(x.grad, expected_x, atol=1e-12, rtol=1e-12)
    joined = torch.cat([shard.classes.weight.grad for shard in shards])
    torch.testing.assert_close(joined, whole.classes.weight.grad, atol=1e-12, rtol=1e-12)
    for key, gradient in expected_parameters.items():
        summed = sum(dict(shard.named_parameters())[key].grad for shard in shards)
        torch.testing.assert_close(summed, gradient, atol=1e-12, rtol=1e-12)


def test_a_margin_leaves_rows_of_other_shards_alone():
    cosine = torch.rand(3, 4, dtype=torch.float64)
    label = torch.tensor([2, -1, 0])
    logits = losses.cosface.cosface(cosine, cosine[:, 0], label, 1, s=2.0, m=0.25)
    expected = 2 * cosine
    expected[0, 2] -= 0.5
    expected[2, 0] -= 0.5
    torch.testing.assert_close(logits, expected)


def test_shards_out_of_range_and_unshardable_losses():
    loss = losses.create("cosface", DIM, CLASSES)
    loss.keep_shard(2, 6)
    assert loss.classes.local(torch.tensor([1, 2, 5, 6])).tolist() == [-1, 0, 3, -1]
    loss.keep_shard(3, 6)
    assert len(loss.classes.weight) == 3 and loss.classes.first == 3
    for first, stop in ((0, 2), (5, 7), (4, 4)):
        with pytest.raises(ModelError, match="class shard"):
            loss.keep_shard(first, stop)
    with pytest.raises(ModelError, match="without class sharding"):
        losses.create("sphereface_plus", DIM, CLASSES).keep_shard(0, 3)


def test_class_weights_start_as_caffe_xavier():
    torch.manual_seed(0)
    classes = losses.ClassWeights(400, 48, bias=True)
    bound = (3 / 48) ** 0.5
    assert classes.weight.abs().max() <= bound
    assert classes.weight.abs().max() > 0.999 * bound
    assert classes.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert (classes.bias == 0).all()


def test_projection_keeps_zero_rows():
    classes = losses.ClassWeights(3, 2)
    with torch.no_grad():
        classes.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]]))
    classes.project_()
    expected = torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(classes.weight.detach(), expected)
    assert classes.weight.requires_grad


def test_logged_values():
    loss = losses.create("modified_softmax", 2, 3).double()
    with torch.no_grad():
        loss.classes.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    features = torch.tensor([[3.0, 4.0], [3.0, 4.0], [-5.0, 0.0]], dtype=torch.float64, requires_grad=True)
    output = loss(features, torch.tensor([0, 1, 2]), 1)
    assert output.logged["target_cosine"].item() == pytest.approx((0.6 + 0.8 + 1) / 3)
    assert output.logged["accuracy"].item() == pytest.approx(2 / 3)
    assert not any(value.requires_grad for value in output.logged.values())


# Losses whose backward pass is the derivative of their forward pass. Where rows are projected in place, only
# the features can be checked: the projection undoes a step in the weights.
EXACT = [
    (name, options)
    for name, options in VARIANTS
    if (losses.describe(name).options | options).get("gradient", "autograd") == "autograd"
] + [("a_softmax", {"m": 1})]


@pytest.mark.parametrize(("name", "options"), EXACT)
def test_gradcheck(name, options):
    loss = make(name, options).double()
    x = FEATURES[:6].clone().requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 3])
    settings = losses.describe(name).options | options
    projected = settings.get("projected", False) or settings.get("gradient") == "official"
    parameters = [] if projected else list(loss.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: loss(x, labels, 3).loss, (x, *parameters))


# At the default scales of 60 and more a toy network of four dimensions starts on a cliff; these are gentler.
GENTLE = {"arcface": {"s": 8.0}, "cosface": {"s": 8.0}, "sphereface_r": {"s": 8.0}}


@pytest.mark.parametrize("name", losses.names())
def test_gradient_descent_learns(name):
    torch.manual_seed(0)
    loss = losses.create(name, DIM, CLASSES, **GENTLE.get(name, {}))
    features = torch.nn.Parameter(torch.randn(28, DIM))
    labels = torch.arange(28) % CLASSES
    optimiser = torch.optim.Adam([features, *loss.parameters()], lr=0.05)
    before = losses.angular_fisher_score(features, labels)
    values = []
    for _ in range(60):
        optimiser.zero_grad()
        output = loss(features, labels, 2000)
        output.loss.backward()
        optimiser.step()
        values.append(output.loss.item())
    assert values[-1] < 0.7 * values[0]
    assert losses.angular_fisher_score(features, labels) < 0.6 * before
