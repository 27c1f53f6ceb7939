"""The embedder against its steps longhand, on a network that anyone can compute by hand, and on a real one."""

import numpy as np
import pytest
import torch
from torch import nn

from facepipe.embedding import Embedder
from facepipe.errors import DeviceError, EmbeddingsError
from facepipe.flips import FLIPS, FlipRule
from facepipe.zoo import Card, Model, cached_weights, find_card, import_weights, load

HEIGHT, WIDTH, DIM = 6, 4, 5
RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(DIM, 3, HEIGHT, WIDTH)).astype(np.float32)


class Linear(nn.Module):
    """Embedding d = Σ weight[d, channel, y, x] · input; remembers what it was fed."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(WEIGHT.copy()))
        self.dropout = nn.Dropout(0.5)
        self.seen = []

    def forward(self, x):
        self.seen.append((tuple(x.shape), x.dtype, self.training, torch.is_grad_enabled()))
        return torch.einsum("nchw,dchw->nd", self.dropout(x), self.weight)


def model_of(network=None, **input_changes):
    fields = {"size": (HEIGHT, WIDTH), "template": "112x96", "channels": "rgb", "mean": 127.5, "scale": 128.0}
    card = Card.of(
        {
            "name": "tiny",
            "title": "tiny",
            "backbone": "tiny",
            "input": {**fields, **input_changes},
            "embedding": {"dim": DIM, "flip": "concat"},
            "weights": {"file": "tiny.pt", "format": "torch", "sha256": "ab" * 32},
        }
    )
    return Model(card, network if network is not None else Linear(), card.identity, torch.device("cpu"))


def crops_of(count, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)


def longhand(crops, channels="rgb", mean=127.5, scale=128.0):
    x = crops.astype(np.float64)
    if channels == "bgr":
        x = x[..., [2, 1, 0]]
    x = (x - mean) / scale
    return np.array([[(x[n].transpose(2, 0, 1) * WEIGHT[d]).sum() for d in range(DIM)] for n in range(len(x))])


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize(("mean", "scale"), [(127.5, 128.0), (127.5, 127.5), (128.0, 128.0), (0.0, 1.0)])
def test_channel_order_and_scaling(channels, mean, scale):
    crops = crops_of(3)
    got = Embedder(model_of(channels=channels, mean=mean, scale=scale), flip="none", precision="float32")(crops)
    assert got.mu.dtype == np.float32 and got.mu.shape == (3, DIM)
    np.testing.assert_allclose(got.mu, longhand(crops, channels, mean, scale), rtol=1e-5, atol=1e-5 * 255 / scale)
    assert (got.model, got.flip, got.paths) == ("tiny@abababababab/112x96-cp2tform", "none", ())


@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
def test_flip_fusion(flip):
    crops = crops_of(11)
    straight, mirrored = longhand(crops), longhand(crops[:, :, ::-1])
    expected = {
        "none": straight,
        "sum": straight + mirrored,
        "concat": np.concatenate([straight, mirrored], axis=1),
    }[flip]
    embedder = Embedder(model_of(), flip=flip, precision="float32")
    got = embedder(crops)
    np.testing.assert_allclose(got.mu, expected, atol=2e-5)
    assert got.flip == flip and got.dim == embedder.dim == expected.shape[1]


def test_the_cards_flip_rule_is_the_default():
    embedder = Embedder(model_of())
    assert embedder.flip == "concat" and embedder.dim == 2 * DIM and embedder.size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 20, 33, 40])
def test_any_number_of_crops(count):
    embedder = Embedder(model_of(), flip="none", precision="float32", batch_size=16)
    crops = crops_of(count)
    got = embedder(crops).mu
    assert got.shape == (count, DIM) and got.dtype == np.float32
    np.testing.assert_allclose(got, longhand(crops).reshape(count, DIM), atol=2e-5)


@pytest.mark.parametrize("count", [0, 1, 17])
@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_crops_in_a_tensor(channels, flip, count):
    embedder = Embedder(model_of(channels=channels), flip=flip, precision="float32", batch_size=16)
    crops = crops_of(count)
    given = torch.from_numpy(crops)
    np.testing.assert_array_equal(embedder(given).mu, embedder(crops).mu)
    assert (given.numpy() == crops_of(count)).all()


def test_wrong_crops_in_a_tensor():
    for given in (torch.zeros(2, HEIGHT, WIDTH, 3), torch.zeros(2, HEIGHT, 5, 3, dtype=torch.uint8)):
        with pytest.raises(EmbeddingsError, match=f"crops must be uint8 N×{HEIGHT}×{WIDTH}×3, not torch"):
            Embedder(model_of())(given)


@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
def test_no_crops(flip):
    embedder = Embedder(model_of(), flip=flip)
    got = embedder(crops_of(0))
    assert got.mu.shape == (0, embedder.dim) and got.mu.dtype == np.float32 and len(got) == 0


def test_only_two_batch_sizes_and_no_training():
    network = Linear().train()
    embedder = Embedder(model_of(network), flip="none", precision="float32", batch_size=16)
    for count in (1, 5, 8, 9, 15, 16, 23, 30, 48):
        embedder(crops_of(count))
    seen = embedder._runner.network.seen
    sizes = {shape[0] for shape, *_ in seen}
    assert len(sizes) == 2 and max(sizes) == 16
    assert {dtype for _, dtype, *_ in seen} == {torch.float32}
    assert not any(training or grad for *_, training, grad in seen)


def test_the_callers_model_stays_as_it_was():
    network = Linear().train()
    Embedder(model_of(network), precision="bfloat16")(crops_of(2))
    assert network.training and network.weight.dtype == torch.float32 and network.weight.requires_grad
    assert network.seen == []


def test_bfloat16_reaches_the_network():
    embedder = Embedder(model_of(), flip="none", precision="bfloat16")
    crops = crops_of(4)
    got = embedder(crops).mu
    assert embedder._runner.network.seen[0][1] == torch.bfloat16 and got.dtype == np.float32
    np.testing.assert_allclose(got, longhand(crops), atol=0.3)


def test_a_network_that_is_no_module_is_fed_float32():
    """ONNX networks have no other precision."""
    seen = []

    def network(x):
        seen.append(x.dtype)
        return torch.einsum("nchw,dchw->nd", x, torch.from_numpy(WEIGHT))

    crops = crops_of(3)
    got = Embedder(model_of(network), flip="none", precision="bfloat16")(crops).mu
    assert seen == [torch.float32]
    np.testing.assert_allclose(got, longhand(crops), atol=2e-5)


def test_crops_may_be_views():
    crops = crops_of(12)
    embedder = Embedder(model_of(), precision="float32")
    view = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)[::2]
    assert (embedder(view).mu == embedder(crops[::2].copy()).mu).all()
    crops.flags.writeable = False
    embedder(crops)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, HEIGHT, WIDTH + 1, 3), np.uint8),
        np.zeros((2, WIDTH, HEIGHT, 3), np.uint8),
        np.zeros((2, HEIGHT, WIDTH), np.uint8),
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.zeros((2, 3, HEIGHT, WIDTH), np.uint8),
        np.zeros((2, HEIGHT, WIDTH, 3), np.float32),
        np.zeros((0, HEIGHT, WIDTH, 4), np.uint8),
    ],
)
def test_wrong_crops(crops):
    with pytest.raises(EmbeddingsError, match=r"crops must be uint8 N×6×4×3, not (uint8|float32) \("):
        Embedder(model_of())(crops)


def test_wrong_settings():
    with pytest.raises(EmbeddingsError, match=r"unknown flip rule 'mean'; choose one of .*none, .*sum"):
        Embedder(model_of(), flip="mean")
    with pytest.raises(DeviceError, match="precision='float16': choose one of"):
        Embedder(model_of(), precision="float16")


@pytest.fixture(scope="module")
def real(shared):
    card = find_card("mobilefacenet-casia")
    if not cached_weights(card).is_file():
        import_weights(card, shared / "weights" / "mobilefacenet_casia_112x96.ckpt")
    # With several threads on a busy machine, these small batches mostly wait for each other.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load("mobilefacenet-casia", "cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def faces(shared):
    from facepipe.alignment import Aligner
    from facepipe.images import list_images, read_rgb

    aligner = Aligner("112x96")
    paths = list(list_images(shared / "data" / "bbt" / "gallery"))
    return np.stack([aligner.centre(read_rgb(path)) for path in paths[:15:5]])


def test_real_network_gives_a_face_the_same_embedding_in_any_company(real, faces):
    embedder = Embedder(real, flip="none", precision="float32", batch_size=9)
    together = embedder(np.concatenate([faces, faces[::-1], faces])).mu
    alone = np.concatenate([embedder(face[None]).mu for face in faces])
    near = {"rtol": 0, "atol": 1e-5 * np.abs(alone).max()}
    np.testing.assert_allclose(together[:3], alone, **near)
    np.testing.assert_allclose(together[3:6], alone[::-1], **near)
    np.testing.assert_allclose(together[6:], alone, **near)
    assert (embedder(faces).mu == embedder(faces).mu).all()


def test_real_network_in_bfloat16_is_close_to_float32(real, faces):
    exact, rounded = (Embedder(real, "none", precision)(faces).mu for precision in ("float32", "bfloat16"))
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert not (exact == rounded).all()
    assert cosine.min() > 0.999


def test_crops_of_the_template_are_made_to_fit_a_smaller_network():
    from facepipe.alignment import fit_crop

    embedder = Embedder(model_of(template="112x112", fit="resize"), flip="none", precision="float32")
    crops = np.random.default_rng(5).integers(0, 256, (3, 112, 112, 3), np.uint8)
    small = np.stack([fit_crop(crop, (HEIGHT, WIDTH), "resize") for crop in crops])
    np.testing.assert_array_equal(embedder(crops).mu, embedder(small).mu)
    with pytest.raises(EmbeddingsError, match="crops must be"):
        embedder(crops[:, :100])


@pytest.fixture
def weighed():
    """A rule that another module adds, as a new file in the folder would."""
    FLIPS.add("weighed", FlipRule("the mirror image's embedding halved and added", lambda a, b: a + b / 2))
    yield "weighed"
    FLIPS.remove("weighed")


def test_a_new_flip_rule_is_everywhere(weighed):
    """In the table, cards, recipes and the options with their help: nothing else is to be told of it."""
    from cli_run import run

    from facepipe.train.recipe.file import load_recipe
    from facepipe.zoo.card import Embedding

    crops = crops_of(3)
    expected = longhand(crops) + longhand(crops[:, :, ::-1]) / 2
    got = Embedder(model_of(), flip=weighed, precision="float32")(crops)
    np.testing.assert_allclose(got.mu, expected, atol=2e-5)
    assert Embedding(dim=4, flip=weighed).flip == weighed
    assert load_recipe("arcface-r50", [f"model.flip={weighed}"]).model.flip == weighed
    for command in ("compare", "models import"):
        assert "halved and added" in " ".join(run(*command.split(), "--help").out.split())


def test_an_unknown_flip_rule_on_a_card_or_in_a_recipe():
    from facepipe.train.recipe.file import RecipeError, load_recipe

    with pytest.raises(RecipeError, match=r"model\.flip: must be one of .*none, .*sum"):
        load_recipe("arcface-r50", ["model.flip=mean"])


class Narrow(Linear):
    """A network on a GPU that has room for so many crops at once."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def forward(self, x):
        if len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().forward(x)


def test_too_little_memory_makes_smaller_batches():
    crops = crops_of(50)
    embedder = Embedder(model_of(Narrow(5)), flip="none", precision="float32", batch_size=32)
    np.testing.assert_allclose(embedder(crops).mu, longhand(crops), atol=1e-3)
    assert embedder.batch_size == 4
    with pytest.raises(DeviceError, match="not enough GPU memory; use device='cpu'"):
        Embedder(model_of(Narrow(3)), precision="float32")(crops)


def test_a_model_that_makes_no_numbers_is_an_error():
    """Whatever command asks it: nobody is told that nan is below a threshold."""
    network = Linear()
    with torch.no_grad():
        network.weight[2] = float("inf")
    embed = Embedder(model_of(network), flip="none", precision="float32")
    assert len(embed(crops_of(0))) == 0
    with pytest.raises(EmbeddingsError, match=r"tiny@.*: 3 of 3 views of crops give non-finite outputs"):
        embed(crops_of(3))
