"""Recipes that say "as published": every constant from the papers' programs, and short runs through each option."""

import json
import math

import losses_longhand as longhand
import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from train_tiny import SIDE, write_folders

from facepipe import backbones, losses, uncertainty
from facepipe.losses import head_features
from facepipe.train import load_recipe, resolve, train
from facepipe.train.data.loader import to_network
from facepipe.train.loop.schedule import rate
from facepipe.zoo import save_card, sha256_of
from facepipe.zoo.card import Card, Embedding, Input, Weights

QUIET = Console(quiet=True)

# Dotted field → value. SCF: facts B2, B3 and MathsShen/SCF@842fa96 (README, train.py, datasets.py, uncer_net.py,
# kl_delta_vmf.py, backbones.py). PFE: C2, C3 and seasonSH/Probabilistic-Face-Embeddings@23191e9 (utils/tflib.py,
# config/sphere64_casia.py, models/). ProbFace: C2, C3, E16, E17 and KaenChan/ProbFace@715fab1 (network.py, utils/,
# configfig/resface64m_msarcface.py).
PUBLISHED = {
    "scf-r100": {
        "uncertainty.head": "paper",
        "uncertainty.options": {"random_last_layer": True},
        "uncertainty.centres": "checkpoint",
        "uncertainty.finetune_backbone": False,
        "loss.name": "scf",
        "loss.radius": 64.0,
        "loss.official_floor": True,
        "data.min_images": 1,
        "data.images_per_identity": 1,
        "data.append_unaugmented": False,
        "data.held_out": 0,
        "optimiser.name": "adam",
        "optimiser.lr": 3e-5,
        "optimiser.betas": (0.9, 0.999),
        "optimiser.weight_decay": 5e-4,
        "optimiser.groups": "all",
        "optimiser.clip": 0.0,
        "optimiser.clip_value": 0.0,
        "schedule.unit": "epochs",
        "schedule.length": 30,
        "schedule.factor": 0.5,
        "schedule.milestones": [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28],
        "schedule.warmup": 0,
        "loop.batch": 1024,
        "loop.accumulate": 1,
        "loop.precision": "float32",
        "loop.ema": 0.0,
    },
    "arcface-ir101-ms1m": {
        "model.backbone": "ir101",
        "model.options": {"inner_norm": False},
        "model.input_size": (112, 112),
        "model.embedding_dim": 512,
        "model.channels": "rgb",
        "model.mean": 127.5,
        "model.scale": 128.0,  # (x/255 − ½)/(½·256/255)
        "loss.name": "arcface",
        "data.min_images": 1,
    },
    "pfe-sphere64": {
        "uncertainty.head": "pfe",
        "uncertainty.options": {"hidden": 512, "decay": 0.995},
        "uncertainty.finetune_backbone": False,
        "loss.name": "pfe",
        "loss.scale": "sum",
        "loss.weight": 2.0,
        "data.images_per_identity": 4,
        "data.append_unaugmented": False,
        "optimiser.name": "sgd",
        "optimiser.lr": 1e-3,
        "optimiser.momentum": 0.9,
        "optimiser.nesterov": False,
        "optimiser.weight_decay": 5e-4,
        "optimiser.groups": "no-norm",
        "schedule.unit": "steps",
        "schedule.length": 3000,
        "schedule.milestones": [2000],
        "schedule.factor": 0.1,
        "schedule.warmup": 0,
        "loop.batch": 256,
        "loop.precision": "float32",
    },
    "sphere64-amsoftmax": {
        "model.backbone": "pfe_sphere64",
        "model.options": {},
        "model.input_size": (112, 96),
        "model.embedding_dim": 512,
        "model.template": "112x96",
        "model.channels": "rgb",
        "model.mean": 127.5,
        "model.scale": 128.0,
        "model.flip": "none",
        "loss.name": "am_softmax",
    },
    "probface-resface64": {
        "uncertainty.head": "probface",
        "uncertainty.options": {"hidden": 256, "fusion": True, "decay": 0.995},
        "uncertainty.finetune_backbone": False,
        "loss.name": "probface",
        "loss.mls": 1.0,
        "loss.constraint": 0.001,
        "loss.norm": "l2",
        "loss.form": "sum",
        "loss.triplet": 0.001,
        "loss.margin": 3.0,
        "data.images_per_identity": 4,
        "data.append_unaugmented": True,
        "optimiser.name": "sgd",
        "optimiser.lr": 1e-2,
        "optimiser.momentum": 0.9,
        "optimiser.nesterov": False,
        "optimiser.weight_decay": 5e-4,
        "optimiser.groups": "no-norm",
        "schedule.unit": "steps",
        "schedule.length": 12_000,
        "schedule.milestones": [6000],
        "schedule.factor": 0.1,
        "schedule.warmup": 0,
        "loop.batch": 128,
        "loop.precision": "float32",
    },
    "resface64-arcface": {
        "model.backbone": "resface64",
        "model.options": {},
        "model.input_size": (96, 96),
        "model.embedding_dim": 256,
        "model.channels": "rgb",
        "model.mean": 128.0,
        "model.scale": 128.0,
        "model.flip": "none",
        "data.fit": "resize",
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_constant(name):
    recipe = load_recipe(name)
    for field, value in PUBLISHED[name].items():
        section, entry = field.split(".")
        whole = getattr(recipe, section)
        got = whole.options[entry] if section == "loss" and entry != "name" else getattr(whole, entry)
        assert got == value, field
    assert recipe.augment.only_mirror and recipe.augment.mirror == 0.5
    about = " ".join(load_recipe(name).about.split())
    assert ("as published" in about) == bool(recipe.uncertainty.head)


def test_the_rate_of_scf_halves_every_second_epoch():
    schedule = load_recipe("scf-r100").schedule
    per_epoch = 5_822_653 / 1024
    for epoch in range(30):
        assert rate(schedule, math.ceil(epoch * per_epoch), per_epoch) == 0.5 ** (epoch // 2), epoch


def test_scfs_head_starts_from_the_map_before_the_closing_norm():
    recipe = load_recipe("arcface-ir101-ms1m")
    with torch.device("meta"):
        net = backbones.create("ir101", **recipe.model.options)
        head = uncertainty.create(
            "paper", feature_shape=net.feature_shape, embedding_dim=512, **load_recipe("scf-r100").uncertainty.options
        )
    assert [(layer.in_features, layer.out_features) for layer in (head.fc1, head.fc2, head.out)] == [
        (25_088, 12_544), (12_544, 6272), (6272, 1)
    ]  # fmt: skip
    total = 25_088 * 12_544 + 12_544 + 12_544 * 6272 + 6272 + 6272 + 1
    assert sum(weight.numel() for weight in head.parameters()) == total == 393_404_929
    assert isinstance(net.output_layer[0], torch.nn.BatchNorm2d), "norm and dropout come after the map"
    assert net.output_layer[1].p == 0.4


def program(mu, log_sigma2, labels):
    """ProbFace's total loss on its doubled batch, weight decay aside, from its formulas pair by pair (facts C1, C3)."""
    sigma2 = np.exp(log_sigma2[:, 0])
    count = len(labels)
    distance = np.zeros((count, count), sigma2.dtype)
    likelihood = []
    for i in range(count):
        for j in range(count):
            s = sigma2[i] + sigma2[j]
            distance[i, j] = ((mu[i] - mu[j]) ** 2).sum() / s
            if i != j and labels[i] == labels[j]:
                likelihood.append(distance[i, j] + np.log(s))
    excess = []
    for a in range(count):
        negatives = [distance[a, n] for n in range(count) if labels[n] != labels[a]]
        for p in range(count):
            if p == a or labels[p] != labels[a]:
                continue
            farther = [d for d in negatives if d.real > distance[a, p].real]
            chosen = min(farther, key=np.real) if farther else max(negatives, key=np.real)
            term = distance[a, p] - chosen + 3.0
            excess.append(term if term.real > 0 else 0)
    average = sigma2.real.mean()  # held constant in the gradient
    constraint = ((sigma2 / average - 1) ** 2).sum()
    return np.mean(likelihood) + 0.001 * constraint + 0.001 * np.mean(excess)


def test_probfaces_loss_on_its_doubled_batch_longhand():
    rng = np.random.default_rng(4)
    labels = np.tile(np.repeat(np.arange(3), 2), 2)
    first = longhand.unit(rng.normal(size=(6, 5)))
    copy = first.copy()
    copy[::2] = longhand.unit(first[::2] + 0.1 * rng.normal(size=(3, 5)))  # mirrors; the others are exact duplicates
    mu, log_sigma2 = np.concatenate([first, copy]), rng.normal(-1, 0.5, (12, 1))
    log_sigma2[7::2] = log_sigma2[1:6:2]
    loss = losses.create("probface", 5, 3, **load_recipe("probface-resface64").loss.options)
    output = torch.from_numpy(log_sigma2).requires_grad_()
    value = loss(head_features(torch.from_numpy(mu), output), torch.from_numpy(labels), 1).loss
    value.backward()
    assert value.item() == pytest.approx(program(mu, log_sigma2, labels), abs=1e-12)
    expected = longhand.gradient(lambda s: program(mu, s, labels), log_sigma2)
    # A duplicate is as far from any anchor as its original: which of the two is "the nearest negative" is open, and
    # without consequence, since a head gives both the same output.
    for gradient in (got := output.grad.numpy(), expected):
        gradient[1:6:2] += gradient[7::2]
        gradient[7::2] = 0
    np.testing.assert_allclose(got, expected, atol=1e-10)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("faces") / "faces", identities=6, images=5)


def write_backbone(folder, name, options, mean):
    """A run of an untrained network: card, weights and class matrix. 64 numbers, for I₃₁(1)/e is far below 1e-6."""
    folder.mkdir()
    torch.manual_seed(2)
    net = backbones.create(name, input_size=(SIDE, SIDE), embedding_dim=DIM, **options)
    weights = {key: value.contiguous() for key, value in net.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    save_file({"weight": torch.randn(6, DIM)}, folder / "classes.safetensors")
    (folder / "identities.txt").write_text("".join(f"person{i:02d}\n" for i in range(6)))
    digest = sha256_of(folder / "weights.safetensors")
    card = Card(
        name="untrained", title="untrained", backbone=name, backbone_options=options,
        input=Input(size=(SIDE, SIDE), template="112x112", channels="rgb", mean=mean, scale=128.0),
        embedding=Embedding(dim=DIM, flip="none"),
        weights=Weights(file="weights.safetensors", format="safetensors", sha256=digest),
    )  # fmt: skip
    save_card(card, folder / "card.toml")
    return folder


DIM = 64
SHORT = ["schedule.unit=steps", "schedule.length=4", "schedule.milestones=[2]", "loop.log_every=1", "data.workers=1",
         "loop.tensorboard=false"]  # fmt: skip
SMOKE = {
    "scf-r100": ("ir34", {"inner_norm": False}, 127.5, ["loop.batch=8"]),
    "pfe-sphere64": ("pfe_sphere64", {"width": 0.125}, 127.5, ["loop.batch=8"]),
    "probface-resface64": ("resface64", {"width": 0.125}, 128.0, ["loop.batch=8"]),
}


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", SMOKE)
def test_a_short_run_of_each(tmp_path, data, monkeypatch, name):
    network, options, mean, overrides = SMOKE[name]
    backbone = write_backbone(tmp_path / "backbone", network, options, mean)
    batches = []

    def counted(crops, *rest):
        batches.append(len(crops))
        return to_network(crops, *rest)

    monkeypatch.setattr("facepipe.train.loop.trainer.to_network", counted)
    words = [f"uncertainty.backbone={backbone}", *SHORT, *overrides]
    recipe, run = resolve(name, tmp_path / "run", [data], words, False)
    train(recipe, run, device="cpu", console=QUIET)
    assert batches[:4] == [16 if name.startswith("probface") else 8] * 4
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    lines = [line for line in lines if line["event"] == "train"]
    assert len(lines) == 4 and all(math.isfinite(line["loss"]) for line in lines)
    before, after = load_file(backbone / "weights.safetensors"), load_file(run / "weights.safetensors")
    assert all(torch.equal(value, after[f"backbone.{key}"]) for key, value in before.items())
    if name == "scf-r100":
        assert 0.3 < lines[0]["kappa"] < 3, "a random last layer, not κ = d"
        assert lines[0]["log_iv_kappa"] == pytest.approx(math.log(1e-6) + lines[0]["kappa"], abs=1e-4), "the floor"
    if name == "probface-resface64":
        total = lines[0]["mls"] + 0.001 * lines[0]["constraint"] + 0.001 * lines[0]["identity"]
        assert lines[0]["loss"] == pytest.approx(total, rel=1e-5)
