"""Everything that computes with tensors, on a pretended device: nothing mixes devices, no hidden copy to the host.

Run by test_device_pretended.py in a process of its own; by hand: ``python -m pytest tests/device/pretended_suite.py``.
"""

import copy
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_run import tiny_model
from pretended_device import DEVICE, MixedDevicesError, OnDevice, Watch
from train_tiny import SIDE, crop, write_recipe

from facepipe import backbones, losses, uncertainty, vmf
from facepipe.alignment import Aligner
from facepipe.alignment.device_aligner import DeviceAligner
from facepipe.backbones.registry import BACKBONES
from facepipe.detection import cascade, preset, torch_stages
from facepipe.embedding import Embedder
from facepipe.embedding.aligning import aligner_of
from facepipe.pipeline import Cropper, ReadImage, embed_batch
from facepipe.score import candidates_torch, search
from facepipe.train import resolve
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.trainer import Trainer
from facepipe.train.run.card import write_model
from facepipe.zoo import CardSource, load

DIM, CLASSES, COUNT = 8, 5, 6
LABELS = torch.tensor([0, 0, 1, 1, 2, 4])
SMALL = {"width": 0.25}
GENUINE = ("nonzero", "index")
"""Pairs of one identity: how many a batch has, the host must know."""
COVERED: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _tell():
    yield
    print("covered", sum(COVERED.values()), dict(COVERED))


@contextmanager
def watched(kind, waits=()):
    """What runs inside counts as one covered thing; it may wait by these operations and by no other."""
    with Watch() as watch:
        yield watch
    assert set(watch.waits) <= set(waits), f"copied to the host by {dict(watch.waits)}"
    COVERED[kind] += 1


def on_device(thing):
    return copy.deepcopy(thing).to(DEVICE)


def same(ours, theirs, tolerance=1e-5):
    assert isinstance(ours, OnDevice), f"came back on {ours.device}"
    torch.testing.assert_close(ours.value.detach(), theirs.detach(), rtol=tolerance, atol=tolerance)


def same_gradients(ours, theirs):
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert pairs and any(there.grad is not None for _, there in pairs)
    for here, there in pairs:
        assert (here.grad is None) == (there.grad is None)
        if there.grad is not None:
            same(here.grad, there.grad, 1e-4)


# The device itself: what it must refuse and notice, or the suite would prove nothing.


def test_two_devices_are_not_mixed():
    with Watch():
        there = torch.ones(3).to(DEVICE)
        with pytest.raises(MixedDevicesError, match=r"\(3,\) on pretended, \(3,\) on cpu"):
            there + torch.ones(3)
        assert isinstance(there + torch.tensor(2.0), OnDevice)  # a number may


@pytest.mark.parametrize("read", [
    lambda x: x.cpu(), lambda x: x.sum().item(), lambda x: bool((x > 0).all()), lambda x: x.nonzero(),
    lambda x: x[x > 0], lambda x: torch.zeros(3).copy_(x),
])  # fmt: skip
def test_copies_to_the_host_are_noticed(read):
    with Watch() as watch:
        there = torch.ones(3).to(DEVICE)
        assert not watch.waits
        read(there)
        assert sum(watch.waits.values()) == 1


# Losses, networks, heads.


@pytest.mark.parametrize("name", losses.names())
def test_loss(name):
    loss = losses.create(name, DIM, CLASSES)
    features = torch.randn(COUNT, DIM)
    mined = ("contrastive", "triplet")
    with watched("loss", waits=GENUINE if name in mined else ()):
        there, x = on_device(loss), features.to(DEVICE).requires_grad_()
        out = there(x, LABELS.to(DEVICE), 3)
        out.loss.backward()
    own = features.clone().requires_grad_()
    expected = loss(own, LABELS, 3)
    expected.loss.backward()
    same(out.loss, expected.loss)
    same(x.grad, own.grad)


SHALLOWEST = {BACKBONES[name].build.__module__: name for name in reversed(backbones.names())}.values()
"""One network of each family: the deeper ones only repeat its blocks."""


@pytest.mark.parametrize("name", SHALLOWEST)
def test_backbone(name):
    options = SMALL if "width" in backbones.describe(name).options else {}
    net = backbones.create(name, input_size=(32, 32), embedding_dim=DIM, **options).train()
    x = torch.randn(2, 3, *net.input_size)
    with watched("backbone"):
        there = on_device(net)
        torch.manual_seed(1)  # of dropout
        out = there(x.to(DEVICE))
        out.square().sum().backward()
    torch.manual_seed(1)
    expected = net(x)
    expected.square().sum().backward()
    same(out, expected, 1e-4)
    same_gradients(there, net)


@pytest.mark.parametrize("name", uncertainty.names())
def test_head(name):
    shape, stages = (8, 4, 3), (2, 3, 5, 8)
    head = uncertainty.create(name, feature_shape=shape, embedding_dim=DIM, stage_channels=stages).train()
    maps = [torch.randn(3, channels, 8, 6) for channels in stages[:-1]] + [torch.randn(3, *shape)]
    with watched("head"):
        there = on_device(head)
        out = there([one.to(DEVICE) for one in maps])
        out.sum().backward()
    expected = head(maps)
    expected.sum().backward()
    same(out, expected, 1e-4)
    same_gradients(there, head)


KAPPA = torch.tensor([0.0, 0.1, 3.0, 60.0, 900.0, 1e5])
COSINE = torch.linspace(-1, 1, 6)


@pytest.mark.parametrize("compute", [
    lambda move: vmf.log_iv(3.5, move(KAPPA)),
    lambda move: vmf.log_iv(200.0, move(KAPPA)),
    lambda move: vmf.a_d(16, move(KAPPA)),
    lambda move: vmf.a_d(512, move(KAPPA)),
    lambda move: vmf.log_c(512, move(KAPPA)),
    lambda move: vmf.log_density(512, move(KAPPA), move(COSINE), 64.0),
    lambda move: vmf.in_double(move(KAPPA)),
    lambda move: vmf.neg_log_density_and_slope(512, move(KAPPA), move(COSINE), 64.0, torch.float64),
], ids=["log_iv", "log_iv of large order", "a_d", "a_d of large order", "log_c", "log_density", "in_double",
        "neg_log_density_and_slope"])  # fmt: skip
def test_vmf(compute):
    with watched("vMF function"):
        ours = compute(lambda x: x.to(DEVICE))
    same(ours, compute(lambda x: x))


def test_vmf_gradients():
    with watched("vMF function"):
        there = KAPPA.to(DEVICE).requires_grad_()
        vmf.log_density(16, there, COSINE.to(DEVICE)).sum().backward()
    here = KAPPA.clone().requires_grad_()
    vmf.log_density(16, here, COSINE).sum().backward()
    same(there.grad, here.grad)


def test_vmf_sampling_waits_only_for_what_was_accepted():
    mu = torch.nn.functional.normalize(torch.randn(50, 16))
    with watched("vMF function", waits=("_local_scalar_dense", "index")) as watch:
        drawn = vmf.sample(mu.to(DEVICE), torch.full((50,), 40.0).to(DEVICE))
    assert isinstance(drawn, OnDevice) and drawn.shape == mu.shape
    assert sum(watch.waits.values()) < 100  # rounds of rejection, whatever the number of rows
    torch.testing.assert_close(drawn.value.norm(dim=1), torch.ones(50))


# Losses of uncertainty heads, distillation.


@pytest.mark.parametrize("name", [*losses.names("kappa"), *losses.names("sigma2")])
def test_uncertainty_loss(name):
    loss = losses.create(name, DIM, CLASSES)
    if isinstance(loss, losses.SCFLoss):
        loss.set_centres(torch.randn(CLASSES, DIM))
    mu, output = torch.randn(COUNT, DIM), torch.randn(COUNT, 1)
    with watched("loss", waits=GENUINE):
        there = on_device(loss)
        x = output.to(DEVICE).requires_grad_()
        out = there(losses.head_features(mu.to(DEVICE), x), LABELS.to(DEVICE), 3)
        out.loss.backward()
    own = output.clone().requires_grad_()
    expected = loss(losses.head_features(mu, own), LABELS, 3)
    expected.loss.backward()
    same(out.loss, expected.loss, 1e-4)
    same(x.grad, own.grad, 1e-4)


@pytest.mark.parametrize("relational", [0.0, 1.0])
def test_distillation_with_strangers_and_names(relational):
    torch.manual_seed(3)
    strangers = losses.Strangers(torch.tensor([-1, -1, 0, 0, 0, 1]), weight=2.0, margin=0.1, scale=0.07, trust=0.3)
    loss = losses.Distillation(
        torch.randn(COUNT, DIM), torch.tensor([0, 0, -1, -1, -1, 1]), relational=relational, strangers=strangers,
        identity=losses.create("cosface", DIM, 2), identity_weight=0.1,
    )  # fmt: skip
    features, numbers = torch.randn(COUNT, DIM), torch.arange(COUNT)
    # Which samples have a name is chosen by mask.
    with watched("loss", waits=(*GENUINE, "index_put", "_local_scalar_dense")) as watch:
        there, x = on_device(loss), features.to(DEVICE).requires_grad_()
        out = there(x, numbers.to(DEVICE), 3)
        out.loss.backward()
    assert sum(watch.waits.values()) <= 4
    own = features.clone().requires_grad_()
    expected = loss(own, numbers, 3)
    expected.loss.backward()
    same(out.loss, expected.loss, 1e-4)
    same(x.grad, own.grad, 1e-4)


# Whole steps of training.

STEPS = {
    "as it is": (),
    "average, clipping, two micro-batches": (
        "loop.ema=0.9", "optimiser.clip=1", "optimiser.clip_value=0.1", "loop.accumulate=2"),
    "rate in the velocity": ("optimiser.lr_in_velocity=true", "schedule.milestones=[1]"),
    "sampled classes": ("loss.name=cosface", "distributed.sample_rate=0.5"),
    "arcface": ("loss.name=arcface",),
    "adam": ("optimiser.name=adamw", "optimiser.groups=all"),
}  # fmt: skip


@pytest.mark.parametrize("overrides", STEPS.values(), ids=STEPS.keys())
def test_training_steps(tmp_path, overrides):
    recipe, _ = resolve(str(write_recipe(tmp_path / "tiny.toml")), tmp_path / "run", [tmp_path], overrides, False)
    net = backbones.create("sphereface4", input_size=(SIDE, SIDE), embedding_dim=DIM, width=0.125)
    loss = losses.create(recipe.loss.name, DIM, CLASSES)

    def batches():
        pixels = np.stack([crop(int(label), number) for number, label in enumerate(LABELS)])
        while True:
            yield pixels, LABELS.numpy()

    def run(device):
        torch.manual_seed(0)
        trainer = Trainer(recipe, copy.deepcopy(net).to(device), copy.deepcopy(loss).to(device), 3.0,
                          Ranks(0, 1, 1, device))  # fmt: skip
        given = batches()
        return trainer, [trainer.step(number, given).loss for number in range(3)]

    # Which classes to sample is chosen on the device and counted there.
    sampled = "sample_rate" in str(overrides)
    with watched("training step", waits=("index", "_local_scalar_dense") if sampled else ()) as watch:
        trainer, values = run(DEVICE)
    assert sum(watch.waits.values()) <= 2 * 3  # two a step
    expected_trainer, expected = run(torch.device("cpu"))
    for ours, theirs in zip(values, expected, strict=True):
        same(ours, theirs, 1e-4)
    for ours, theirs in zip(trainer.net.parameters(), expected_trainer.net.parameters(), strict=True):
        same(ours, theirs, 1e-4)
    with Watch():
        assert trainer.finite()


# Detector, embedder, search.


def faces_photo(side=160):
    """The astronaut of scikit-image, small."""
    import cv2
    from skimage.data import astronaut

    return cv2.resize(np.asarray(astronaut()), (side, side), interpolation=cv2.INTER_AREA)


def detect(monkeypatch, device, images, name="sphereface"):
    monkeypatch.setattr(torch_stages, "choose_device", lambda _: device)
    return cascade.MTCNN(preset(name))(images)


def test_detector_finds_the_same_faces(monkeypatch):
    photo = faces_photo()
    images = [photo, photo[:, ::-1].copy(), photo[20:140, 10:150].copy()]
    with Watch():
        ours = detect(monkeypatch, DEVICE, images)
    theirs = detect(monkeypatch, torch.device("cpu"), images)
    assert [len(faces) for faces in ours] == [len(faces) for faces in theirs] and len(ours[0])
    for here, there in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(here.boxes, there.boxes, atol=1e-3)
        np.testing.assert_allclose(here.landmarks, there.landmarks, atol=1e-3)
        np.testing.assert_allclose(here.scores, there.scores, atol=1e-5)


def test_detector_waits_no_more_for_many_photos_of_one_size_than_for_few(monkeypatch):
    def waits(count):
        with Watch() as watch:
            detect(monkeypatch, DEVICE, [faces_photo()] * count)
        return sum(watch.waits.values())

    few, many = waits(2), waits(8)
    assert many <= 1.5 * few, (few, many)
    COVERED["detector"] += 1


@pytest.mark.parametrize("where", ["host", "device"])
@pytest.mark.parametrize("flip", ["none", "sum", "concat"])
def test_embedder_waits_once(tmp_path, flip, where):
    recipe, _ = resolve(str(write_recipe(tmp_path / "tiny.toml")), tmp_path / "run", [tmp_path], (), False)
    net = backbones.create("sphereface4", input_size=(SIDE, SIDE), embedding_dim=DIM, width=0.125).eval()
    write_model(tmp_path / "model", net, recipe, [], CardSource())
    model = load(tmp_path / "model")
    crops = np.stack([crop(person, 0) for person in range(40)])
    with watched("embedder", waits=("copy to the host",)) as watch:
        there = replace(model, network=on_device(model.network), device=DEVICE)
        given = crops if where == "host" else torch.from_numpy(crops).to(DEVICE)
        ours = Embedder(there, flip=flip, precision="float32", batch_size=16)(given)
    assert sum(watch.waits.values()) == 1  # of three passes or five
    theirs = Embedder(model, flip=flip, precision="float32", batch_size=16)(crops)
    np.testing.assert_allclose(ours.mu, theirs.mu, atol=1e-4)


FACE = np.array([[60, 40], [80, 42], [70, 55], [62, 66], [79, 67]], np.float32)


def test_warp_waits_for_nothing():
    photos = [faces_photo(), faces_photo(400)[:, 100:380].copy(), faces_photo(90)[:1].copy()]
    asked = [(photos[number % 3], FACE * (0.5 + number % 7) - 10 * (number % 4)) for number in range(70)]
    with watched("warp"):
        aligner = DeviceAligner("112x112", DEVICE)
        ours = aligner.stack([aligner.cut(*one) for one in asked] + [aligner.centre(photos[0])])
    host = Aligner("112x112")
    theirs = np.stack([host(*one) for one in asked] + [host.centre(photos[0])])
    assert isinstance(ours, OnDevice)
    assert (np.abs(ours.value.numpy().astype(int) - theirs).mean((1, 2, 3)) <= 0.5).all()


def whole(monkeypatch, model, device, photos, warp):
    """Embeddings of photos' faces, and the waits of the search and of all that comes after it."""
    monkeypatch.setattr(torch_stages, "choose_device", lambda _: device)
    detector = cascade.MTCNN(preset())
    parts = {name: copy.deepcopy(getattr(model, name)).to(device) for name in ("network", "head")}
    embedder = Embedder(replace(model, device=device, **parts), precision="float32")
    during_search = []

    def search(images):
        faces = detector(images)
        during_search.append(sum(watch.waits.values()))
        return faces

    search.share_tables = detector.share_tables
    with Watch() as watch:
        cropper = Cropper(aligner_of(embedder, warp, search), search, "all", "centre")
        batch = [ReadImage(Path(f"{number}.png"), photo) for number, photo in enumerate(photos)]
        found = embed_batch(batch, cropper, embedder)
    return found, during_search[0], sum(watch.waits.values()) - during_search[0]


def test_the_whole_way_waits_once_after_the_search_however_many_photos(tmp_path, monkeypatch):
    model = load(tiny_model(tmp_path / "tiny", "compact"), "cpu")
    photos = [faces_photo(160 + 8 * (number % 2)) for number in range(15)] + [np.full((50, 60, 3), 90, np.uint8)]
    few, searching_few, after_few = whole(monkeypatch, model, DEVICE, photos[12:], "device")
    many, searching_many, after_many = whole(monkeypatch, model, DEVICE, photos, "device")
    assert len(many) == len(photos) and len(few) == len(photos[12:])
    assert after_few == after_many == 1
    assert searching_many <= 1.5 * searching_few  # per stage and size of photo, up to sixteen photos
    COVERED["photos to embeddings"] += 1
    theirs, _, _ = whole(monkeypatch, model, torch.device("cpu"), photos, "host")
    assert many.paths == theirs.paths and many.detected.tolist() == theirs.detected.tolist() == [True] * 15 + [False]
    cosines = (many.mu * theirs.mu).sum(1) / np.linalg.norm(many.mu, axis=1) / np.linalg.norm(theirs.mu, axis=1)
    assert cosines.min() > 0.999
    np.testing.assert_allclose(many.kappa, theirs.kappa, rtol=0.01)


def test_search_finds_the_same_rows(monkeypatch):
    random = np.random.default_rng(0)
    queries, store = random.normal(size=(3, 16)), random.normal(size=(500, 16)).astype(np.float32)
    expected = search.top_k(queries, store, 5)
    monkeypatch.setattr(candidates_torch, "choose_device", lambda _: DEVICE)
    with watched("search", waits=("copy to the host", "is_nonzero")):
        found = search.top_k(queries, store, 5)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-12)
