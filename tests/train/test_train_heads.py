"""Heads trained by ``facepipe train``: the frozen backbone stays, the loss is the published one, the run is a model."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from train_tiny import SIDE, crop, write_folders, write_recipe

from facepipe import backbones, losses, uncertainty
from facepipe.embedding import Embedder
from facepipe.errors import ModelError
from facepipe.train import Recipe, RecipeError, Stopped, TrainingError, load_recipe, resolve, shipped_recipes, train
from facepipe.train.heads.centres import read_centres
from facepipe.train.heads.frozen import HeadNet
from facepipe.train.loop import checkpoint as checkpoints
from facepipe.train.loop.trainer import Trainer
from facepipe.uncertainty import describe
from facepipe.zoo import Uncertainty, load, save_card
from facepipe.zoo.headed import head_for

QUIET = Console(quiet=True)
HEAD = """
[uncertainty]
head = "{head}"
backbone = "{backbone}"
[loss]
name = "{loss}"
[data]
workers = 1
images_per_identity = {images}
[optimiser]
name = "adam"
lr = 0.002
[schedule]
length = 12
name = "constant"
[loop]
batch = 8
log_every = 3
checkpoint_every = 4
[evaluate]
fars = [0.1]
"""
CASES = [("compact", "scf", 1), ("paper", "scf", 1), ("pfe", "pfe", 2), ("probface", "probface", 4)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("faces") / "faces", identities=8, images=5)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, data):
    """A trained run that holds two identities out, as a head's does."""
    folder = tmp_path_factory.mktemp("backbone")
    recipe, run = resolve(
        str(write_recipe(folder / "tiny.toml")), folder / "run", [data],
        ["data.held_out=2", "schedule.length=30", "evaluate.fars=[0.1]"], False,
    )  # fmt: skip
    train(recipe, run, device="cpu", console=QUIET)
    return run


def begin(tmp_path, data, backbone, *overrides, case=CASES[0], out="run", resume=False):
    head, loss, images = case
    path = tmp_path / f"{head}.toml"
    path.write_text(HEAD.format(head=head, backbone=backbone, loss=loss, images=images))
    resolved, folder = resolve(str(path), tmp_path / out, [data], ["data.held_out=2", *overrides], resume)
    return train(resolved, folder, resume=resume, device="cpu", console=QUIET)


def train_lines(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "train"]


def some_crops():
    return np.stack([crop(who, image) for who in range(4) for image in range(3)])


@pytest.mark.parametrize("case", CASES)
def test_a_head_learns_and_its_run_is_a_model(tmp_path, data, backbone, case):
    kind, run = describe(case[0]).kind, tmp_path / "run"
    rate = "optimiser.lr=0.002" if kind == "kappa" else "optimiser.lr=0.02"
    summary = begin(tmp_path, data, backbone, "schedule.length=60", rate, case=case)
    lines = train_lines(run)
    assert np.mean([line["loss"] for line in lines[-4:]]) < lines[0]["loss"]
    model, base = load(run), load(backbone)
    assert (model.card.uncertainty.head, model.head.kind) == (case[0], kind)
    assert model.card.input == base.card.input and model.card.embedding == base.card.embedding
    got, plain = Embedder(model)(some_crops()), Embedder(base)(some_crops())
    assert (got.mu == plain.mu).all(), "a frozen backbone embeds as before"
    assert (got.kappa if kind == "kappa" else got.sigma2) is not None
    assert (got.kappa is None) != (got.sigma2 is None) and got.trained_dim == 8
    held = {"scf", "mls"} & {threshold["score"] for threshold in summary["thresholds"]}
    assert held == {"scf" if kind == "kappa" else "mls"}
    assert "a head on run@" in model.card.source.notes


def test_the_backbone_and_its_running_statistics_stay_bit_for_bit(tmp_path, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bn")
    recipe, run = resolve(
        str(write_recipe(folder / "tiny.toml")), folder / "run", [data],
        ["model.options={width=0.125, batch_norm=true}", "optimiser.groups=all"], False,
    )  # fmt: skip
    train(recipe, run, device="cpu", console=QUIET)
    begin(tmp_path, data, run)
    before, after = load_file(run / "weights.safetensors"), load_file(tmp_path / "run" / "weights.safetensors")
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(value, after[f"backbone.{name}"]) for name, value in before.items())
    assert {name.split(".")[0] for name in after} == {"backbone", "head"}


@pytest.mark.parametrize("finetune", [False, True])
def test_what_the_optimiser_sees(backbone, finetune):
    model = load(backbone)
    head = head_for(model.network, Uncertainty(head="compact"))
    net = HeadNet(model.network, head, finetune).train()
    assert head.training and net.backbone.training == finetune
    trained = {name.split(".")[0] for name, weight in net.named_parameters() if weight.requires_grad}
    assert trained == ({"backbone", "head"} if finetune else {"head"})
    assert net(torch.randn(3, 3, SIDE, SIDE)).shape == (3, 9)


def test_finetuning_trains_the_backbone_too(tmp_path, data, backbone):
    begin(tmp_path, data, backbone, "uncertainty.finetune_backbone=true")
    before = load_file(backbone / "weights.safetensors")
    after = load_file(tmp_path / "run" / "weights.safetensors")
    assert not torch.equal(before["fc5.weight"], after["backbone.fc5.weight"])
    ours, theirs = load(tmp_path / "run").card.thresholds, load(backbone).card.thresholds
    assert ours[0].score == theirs[0].score == "cosine" and ours[0].value != theirs[0].value


@pytest.mark.parametrize("case", [CASES[0], CASES[3]])
def test_stopped_and_resumed_is_the_same_bit_for_bit(tmp_path, data, backbone, monkeypatch, case):
    """Centres are not computed again: they are in the checkpoint."""
    begin(tmp_path, data, backbone, case=case, out="alone")
    step = Trainer.step

    def interrupted(self, number, batches):
        if number == 5:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number, batches)

    monkeypatch.setattr(Trainer, "step", interrupted)
    with pytest.raises(Stopped, match="stopped after step 6 of 12"):
        begin(tmp_path, data, backbone, case=case, out="stopped")
    monkeypatch.undo()
    monkeypatch.setattr("facepipe.train.heads.centres.mean_centres", None)
    begin(tmp_path, data, backbone, case=case, out="stopped", resume=True)
    ours, theirs = (
        load_file(checkpoints.checkpoint_folders(tmp_path / name)[0] / "state.safetensors")
        for name in ("alone", "stopped")
    )
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_head_does_not_go_on_with_another_backbone(tmp_path, data, backbone):
    own = shutil.copytree(backbone, tmp_path / "backbone")
    begin(tmp_path, data, own, "schedule.length=4")
    weights = load_file(own / "weights.safetensors")
    before = load(own).card.weights.sha256
    save_file({name: value + 0.1 for name, value in weights.items()}, own / "weights.safetensors")
    after = hashlib.sha256((own / "weights.safetensors").read_bytes()).hexdigest()
    (own / "card.toml").write_text((own / "card.toml").read_text().replace(before, after))
    with pytest.raises(TrainingError, match=r"step 4 has a backbone other than uncertainty\.backbone"):
        begin(tmp_path, data, own, "schedule.length=4", resume=True)


def centres_of(run):
    return load_file(checkpoints.checkpoint_folders(run)[0] / "state.safetensors")["loss.centres"].numpy()


def test_centres_are_the_mean_directions_of_the_frozen_embeddings(tmp_path, data, backbone):
    begin(tmp_path, data, backbone)
    names = (tmp_path / "run" / "identities.txt").read_text().split()
    embedder = Embedder(load(backbone), flip="none", precision="float32")
    for name, got in zip(names, centres_of(tmp_path / "run"), strict=True):
        mu = embedder(np.stack([crop(int(name[-2:]), image) for image in range(5)])).mu.astype(np.float64)
        mean = (mu / np.linalg.norm(mu, axis=1, keepdims=True)).sum(0)
        np.testing.assert_allclose(got, mean / np.linalg.norm(mean), atol=1e-5)


def test_centres_of_the_backbones_training_are_found_by_name(tmp_path, data, backbone):
    """The order of identities in the backbone's run is turned around, names and rows alike."""
    weight, names = load_file(backbone / "classes.safetensors")["weight"], (backbone / "identities.txt").read_text()
    save_file({"weight": weight.flip(0).contiguous()}, tmp_path / "turned.safetensors")
    (tmp_path / "identities.txt").write_text("".join(reversed(names.splitlines(keepends=True))))
    file = f"uncertainty.centres_file={tmp_path / 'turned.safetensors'}"
    begin(tmp_path, data, backbone, "uncertainty.centres=checkpoint", file)
    begin(tmp_path, data, backbone, "uncertainty.centres=checkpoint", out="beside")
    expected = (weight / weight.norm(dim=1, keepdim=True)).numpy()
    for run in ("run", "beside"):
        np.testing.assert_allclose(centres_of(tmp_path / run), expected, rtol=1e-6)


def test_centres_that_do_not_fit(tmp_path, data, backbone):
    def read(content, form="pt"):
        path = tmp_path / f"centres.{form}"
        torch.save(content, path)
        recipe = load_recipe("scf-small", [f"uncertainty.centres_file={path}", "model.embedding_dim=8"])
        return read_centres(recipe, type("Samples", (), {"identities": ["ann", "bob"]}))

    assert read({"arc_face_state_dict": {"weight": torch.ones(2, 8), "m": 0.5}, "epoch": 3}).tolist() == [[1] * 8] * 2
    with pytest.raises(RecipeError, match=r"centres\.pt: 3 class centres for 2 identities, and no identities\.txt"):
        read({"weight": torch.ones(3, 8)})
    with pytest.raises(RecipeError, match="holds 0 matrices of 8 columns"):
        read({"weight": torch.ones(2, 9)})
    with pytest.raises(RecipeError, match="holds 2 matrices of 8 columns"):
        read({"a": torch.ones(2, 8), "b": torch.ones(2, 8)})
    (tmp_path / "identities.txt").write_text("ann\neve\n")
    with pytest.raises(RecipeError, match=r"no class centre for 1 of 2 identities \(bob, \.\.\.\); use the"):
        read({"weight": torch.ones(2, 8)})
    with pytest.raises(RecipeError, match=r"gone\.pt: no such file of class centres"):
        recipe = load_recipe("scf-small", [f"uncertainty.centres_file={tmp_path / 'gone.pt'}"])
        read_centres(recipe, type("Samples", (), {"identities": []}))


def test_the_logged_terms_add_up_and_carry_the_published_names(tmp_path, data, backbone):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    begin(tmp_path, data, backbone, "loop.tensorboard=true")
    run = tmp_path / "run"
    constant = 4 * np.log(2 * np.pi) + 8 * np.log(64)
    lines = train_lines(run)
    for line in lines:
        terms = line["neg_kappa_times_cos_theta"] + line["neg_dim_scalar_times_log_kappa"] + line["log_iv_kappa"]
        assert line["total_loss"] == pytest.approx(terms + constant, rel=1e-6)
    assert lines[0]["kappa"] == pytest.approx(8, rel=1e-3), "a fresh head starts at κ = d"
    events = reader.EventAccumulator(str(run / "tensorboard")).Reload()
    assert losses.SCFLoss.published == (
        "kappa", "total_loss", "neg_kappa_times_cos_theta", "neg_dim_scalar_times_log_kappa", "log_iv_kappa",
    )  # fmt: skip
    for name in losses.SCFLoss.published:
        assert [event.value for event in events.Scalars(name)] == pytest.approx([line[name] for line in lines])
    assert {"train/loss", "train/lr", "train/decay_loss"} <= set(events.Tags()["scalars"])


def test_probface_logs_what_the_original_watched(tmp_path, data, backbone):
    begin(tmp_path, data, backbone, case=CASES[3])
    for line in train_lines(tmp_path / "run"):
        assert line["sigma2_min"] <= line["sigma2_max"]
        assert {"mls", "genuine_distance", "impostor_distance", "identity", "constraint"} <= line.keys()
        assert {"decay_loss", "lr", "loss"} <= line.keys()


def test_quantiles_are_those_of_the_held_out_faces(tmp_path, data, backbone):
    begin(tmp_path, data, backbone)
    card = load(tmp_path / "run").card
    trained = set((tmp_path / "run" / "identities.txt").read_text().split())
    held = sorted({f"person{i:02d}" for i in range(8)} - trained)
    crops = np.stack([crop(int(name[-2:]), image) for name in held for image in range(5)])
    kappa = Embedder(load(tmp_path / "run"), precision="float32")(crops).kappa
    np.testing.assert_allclose(card.uncertainty.quantiles, np.quantile(kappa, np.linspace(0, 1, 21)), rtol=1e-5)
    assert card.uncertainty.measured_on == "10 crops of 2 identities held out of training"


def test_thresholds_for_cosines_are_the_backbones(tmp_path, data, backbone):
    """The head does not change them, and the backbone's may come from more pairs."""
    begin(tmp_path, data, backbone, "evaluate.fars=[0.1, 0.2]")
    before, after = load(backbone).card.thresholds, load(tmp_path / "run").card.thresholds
    assert [one for one in after if one.score == "cosine"] == list(before) and before
    assert [one.far for one in after if one.score == "scf"] == [0.1, 0.2]


def test_crops_come_to_the_networks_size_as_the_card_says(tmp_path, data, backbone):
    card = load(backbone).card
    resize = replace(card, input=replace(card.input, fit="resize"))
    save_card(resize, backbone / "resize.toml")
    path = tmp_path / "head.toml"
    path.write_text(HEAD.format(head="compact", backbone=backbone / "resize.toml", loss="scf", images=1))
    assert resolve(str(path), tmp_path / "run", [data], [], False)[0].data.fit == "resize"
    recipe, _ = resolve(str(path), tmp_path / "run", [data], ["data.fit=middle", "model.flip=none"], False)
    assert (recipe.data.fit, recipe.model.flip, recipe.model.backbone) == ("middle", "none", "sphereface4")


def test_clipped_gradients(tmp_path, data, backbone):
    """By Adam's rule a first step is lr whatever the size; SGD's is not."""
    sgd = ["optimiser.name=sgd", "optimiser.momentum=0", "optimiser.weight_decay=0", "schedule.length=1"]
    begin(tmp_path, data, backbone, *sgd, "optimiser.clip_value=1e-3", "optimiser.lr=1.0")
    bias = load_file(tmp_path / "run" / "weights.safetensors")["head.out.bias"]
    assert abs(abs(bias.item() - np.log(8)) - 1e-3) < 1e-6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss.name=pfe"], "trains sigma2, uncertainty.head = 'compact' predicts kappa; its losses are scf"),
        (["loss.name=arcface"], "loss.name = 'arcface' trains embedding"),
        (["uncertainty.backbone="], "uncertainty.backbone is empty: name the model"),
        (["uncertainty.options.wide=3"], "uncertainty head compact has no option 'wide'"),
        (["model.backbone=sphereface10"], "model.backbone = 'sphereface10': the card of run says 'sphereface4'"),
        (["data.images_per_identity=3"], "must be a multiple of data.images_per_identity = 3"),
        (["teacher.model=sface"], "leave [teacher] out"),
        (["uncertainty.head=copmact"], "did you mean 'compact'"),
        (["uncertainty.centres=checkpoint", "uncertainty.centres_file=no.pt"], "no.pt: no such file of class centres"),
    ],
)  # fmt: skip
def test_bad_requests_end_before_the_first_step(tmp_path, data, backbone, overrides, message):
    with pytest.raises((RecipeError, ModelError)) as caught:
        begin(tmp_path, data, backbone, *overrides)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_backbone_is_not_trained_with_a_heads_loss(tmp_path, data):
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    with pytest.raises(RecipeError, match=r"loss scf trains kappa: name an uncertainty\.head for it"):
        resolved, run = resolve(recipe, tmp_path / "run", [data], ["loss.name=scf", "optimiser.groups=all"], False)
        train(resolved, run, device="cpu", console=QUIET)


def test_missing_centres_are_reported_before_anything_is_read_or_written(tmp_path, backbone):
    words = [f"uncertainty.backbone={backbone}", "uncertainty.centres=checkpoint", "uncertainty.centres_file=no.pt"]
    with pytest.raises(RecipeError, match=r"no\.pt: no such file of class centres; name one with"):
        resolve("scf-small", tmp_path / "run", [tmp_path / "no data"], words, False)
    assert not (tmp_path / "run").exists()


def test_an_onnx_model_gets_no_head(tmp_path, data):
    with pytest.raises(RecipeError, match="an ONNX model has no feature map to train a head on"):
        begin(tmp_path, data, "sface")


SHIPPED = {
    "scf-r100": ("paper", "scf", "adam", 3e-5, 5e-4, 1024),
    "scf-small": ("compact", "scf", "adam", None, None, None),
    "pfe-sphere64": ("pfe", "pfe", "sgd", 1e-3, 5e-4, 256),
    "probface-resface64": ("probface", "probface", "sgd", 1e-2, 5e-4, 128),
    "pfe-small": ("pfe", "pfe", "sgd", 1e-3, 5e-4, None),
    "probface-small": ("probface", "probface", "sgd", None, None, None),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_the_published_ones(name):
    """Facts B2, C2 and C3."""
    assert name in shipped_recipes()
    recipe = load_recipe(name)
    head, loss, optimiser, lr, decay, batch = SHIPPED[name]
    assert (recipe.uncertainty.head, recipe.loss.name, recipe.optimiser.name) == (head, loss, optimiser)
    assert lr in (None, recipe.optimiser.lr) and decay in (None, recipe.optimiser.weight_decay)
    assert batch in (None, recipe.loop.batch)
    assert set(recipe.uncertainty.options) <= set(describe(head).options)
    losses.create(loss, 8, 5, **recipe.loss.options)
    assert recipe.about


def test_published_schedules():
    scf, pfe, probface = (load_recipe(name) for name in ("scf-r100", "pfe-sphere64", "probface-resface64"))
    assert scf.schedule.unit == "epochs" and (scf.schedule.length, scf.schedule.factor) == (30, 0.5)
    assert scf.schedule.milestones == list(range(2, 30, 2)) and scf.loss.options["radius"] == 64
    assert (pfe.schedule.length, pfe.schedule.milestones, pfe.schedule.factor) == (3000, [2000], 0.1)
    assert (probface.schedule.length, probface.schedule.milestones) == (12000, [6000])
    assert pfe.data.images_per_identity == probface.data.images_per_identity == 4


ORIGINAL_OPTIONS = [
    "dataset", "dataroot", "seed", "gpu_ids", "batch_size", "eval_batch_size", "output_dir", "saved_bkb", "saved_fc",
    "num_workers", "no_cuda", "epochs", "lr", "lr_scheduler", "step_size", "gamma", "convf_dim", "z_dim", "radius",
    "max_grad_clip", "max_grad_norm", "tensorboard", "finetune_bkb",
]  # fmt: skip


def test_every_option_of_the_original_has_a_counterpart_that_exists():
    """The table in docs/scf.md: all of its train.py's options, and fields that a recipe really has."""
    path = Path(__file__).parents[2] / "docs" / "scf.md"
    rows = [line.split("|")[1:3] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| `--")]
    assert sorted(re.findall(r"--(\w+)", " ".join(left for left, _ in rows))) == sorted(ORIGINAL_OPTIONS)
    fields = re.findall(r"`(\w+)\.(\w+)", " ".join(right for _, right in rows))
    assert len(fields) >= 18
    for section, field in fields:
        known = Recipe.model_fields[section].annotation.model_fields
        assert field in (losses.describe("scf").options if section == "loss" else known)


@pytest.mark.parametrize("finetune", [False, True])
def test_training_interface_of_a_network_with_a_head(finetune):
    backbone = backbones.create("sphereface4", input_size=(32, 32), embedding_dim=4, width=0.125)
    head = uncertainty.create("compact", feature_shape=backbone.feature_shape, embedding_dim=4, stage_channels=())
    net = HeadNet(backbone, head, finetune)
    assert net.parts() == (backbone, head) and backbone.parts() == (backbone, None)
    assert net.layers() == {} and net.published_groups(0.1, 0) is None
    assert backbone.published_groups(0.1, 0) is not None
    trained = {name for name, weight in net.named_parameters() if weight.requires_grad}
    frozen = net.frozen_weights()
    assert frozen.keys() <= net.state_dict().keys() and not trained & frozen.keys()
    assert ("backbone.fc5.weight" in frozen) is not finetune and backbone.frozen_weights() == {}
