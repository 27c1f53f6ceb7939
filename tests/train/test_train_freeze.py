"""Training the upper layers on kept maps of the frozen ones, with strangers as negatives."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from test_train_distil import log_of
from test_train_narrow import SIZE, mobilenet
from train_tiny import crop, encoded, write_folders, write_recipe, write_shard

from facepipe import backbones
from facepipe.datasets import open_samples
from facepipe.errors import ModelError
from facepipe.train import RecipeError, TrainingError, resolve, train
from facepipe.train.data.augment import NUMBERS, Augment, augment_batch
from facepipe.train.data.crops import Crops
from facepipe.train.data.order import uniforms
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.recipe.file import load_recipe
from facepipe.train.run.card import write_model
from facepipe.train.trunk import keep
from facepipe.train.trunk.cut import Upper, as_map, lower
from facepipe.train.trunk.initial_features import initial_features
from facepipe.train.trunk.kept_maps import KeptMaps, compute_maps
from facepipe.zoo import CardSource

CUT = "blocks.11.depthwise"
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def teacher(tmp_path):
    recipe = load_recipe(str(write_recipe(tmp_path / "teacher.toml")))
    model = recipe.model.model_copy(update={"backbone": "mobilenet", "options": {"width": 0.25}, "input_size": SIZE})
    write_model(tmp_path / "teacher", mobilenet(0.25), recipe.model_copy(update={"model": model}), [], CardSource())
    return tmp_path / "teacher"


@pytest.fixture
def strangers(tmp_path):
    """Two groups of ten, and two images of which nothing is known."""
    def about(number):
        return {"source": "s", "age": 30, "sex": "mf"[number % 2]} if number < 20 else {"source": "s"}

    faces = [(f"{i:02d}", encoded(crop(100 + i, 0, SIZE)), about(i)) for i in range(22)]
    (tmp_path / "more").mkdir()
    return write_shard(tmp_path / "more" / "s-000.tar", faces).parent


SETTINGS = (
    "teacher.initialise=true", "teacher.centre=false", "teacher.identity=0.3", "model.backbone=mobilenet",
    "model.options={width=0.25}", f"model.input_size=[{SIZE[0]},{SIZE[1]}]", "model.flip=sum", "loss.name=cosface",
    "strangers.weight=1.0", "strangers.trust=0.3", "strangers.held_out={s=2}", "strangers.others=false",
    "data.held_out=2", "data.max_images=4", "evaluate.held_out=true", "evaluate.fars=[0.1]", "optimiser.name=adamw",
    "optimiser.groups=no-norm", "optimiser.lr=1e-3", "schedule.milestones=[]", "schedule.length=12", "loop.batch=16",
    "loop.ema=0.5", "augment.warp=0.5", "augment.mirror=0.5",
)  # fmt: skip


def begin(tmp_path, teacher, strangers, *more, out="run", resume=False):
    data = tmp_path / "faces"
    if not data.exists():
        write_folders(data, identities=8, size=SIZE)
    recipe = str(write_recipe(tmp_path / "tiny.toml", f'[teacher]\nmodel = "{teacher.as_posix()}"\n'))
    given = (
        *SETTINGS, f"freeze.until={CUT}", f"freeze.cache={(tmp_path / 'maps').as_posix()}",
        f'data.unlabelled=["{strangers.as_posix()}"]', *more,
    )  # fmt: skip
    resolved, folder = resolve(recipe, tmp_path / out, [data], given, resume)
    return train(resolved, folder, resume=resume, device="cpu", console=Console(quiet=True))


def test_lower_and_upper_together_are_the_network():
    net, x = mobilenet(), torch.randn(3, 3, *SIZE)
    with torch.inference_mode():
        for until in net.layers():
            torch.testing.assert_close(Upper(net, until)(lower(net, until)(x)), net(x), rtol=1e-3, atol=1e-4)


def test_another_layer_or_network_cannot_be_cut():
    with pytest.raises(ModelError, match=r"no such layer; the layers are conv1, blocks\.0\.depthwise"):
        lower(mobilenet(), "blocks.13.depthwise")
    with pytest.raises(ModelError, match="only a mobilenet"):
        lower(backbones.create("sphereface4", width=0.125), "conv1")


def test_views_are_the_crop_its_mirror_image_and_augmentations(tmp_path):
    samples = open_samples([write_folders(tmp_path / "faces", identities=15)])
    crops = Crops(samples, (16, 16), memory=10**6, seed=3)
    kept, augment = KeptMaps(tmp_path / "maps", len(samples), 4, (16, 16, 3)), Augment(mirror=0.5, colour=1.0)
    compute_maps(kept, crops, augment, lambda pixels: pixels.astype(np.float32), lambda done, total: None)
    numbers = np.arange(len(samples))
    plain = crops.batch(numbers, numbers * 0)[0]
    assert (kept.batch(numbers, numbers * 0) == plain).all()
    assert (kept.batch(numbers, numbers * 0 + 1) == plain[:, :, ::-1]).all()
    for view in (2, 3):
        expected = plain.copy()
        augment_batch(expected, uniforms(3, np.full_like(numbers, view), numbers, NUMBERS), augment)
        assert (kept.batch(numbers, np.full_like(numbers, view)) == expected).all()
    again = KeptMaps(tmp_path / "maps", len(samples), 5, (16, 16, 3))
    assert {view for view, _ in again.missing()} == {4}  # more views need no others again


def test_a_damaged_file_is_computed_again(tmp_path):
    kept = KeptMaps(tmp_path, 70, 2, (1, 1, 2))
    for view, first in kept.missing():
        kept.write(view, first, np.ones((min(64, 70 - first), 1, 1, 2)))
    assert KeptMaps(tmp_path, 70, 2, (1, 1, 2)).missing() == []
    (tmp_path / "view-1.npy").write_bytes(b"half a head")
    assert KeptMaps(tmp_path, 70, 2, (1, 1, 2)).missing() == [(1, 0), (1, 64)]


def test_ranks_of_a_machine_share_the_maps_and_machines_have_a_folder_each_or_one(tmp_path, teacher, monkeypatch):
    samples = open_samples([write_folders(tmp_path / "faces", identities=15, size=SIZE)])
    net, begun = mobilenet(0.25), f"teacher.model={teacher.as_posix()}"
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    looked_at = {}

    def maps(cache, rank, local_rank, local_count, count):
        given = (*(s for s in SETTINGS if "strangers" not in s), begun, f"freeze.until={CUT}", f"freeze.cache={cache}")
        resolved, _ = resolve(recipe, tmp_path / "run", [tmp_path / "faces"], given, False)
        crops = Crops(samples, SIZE, memory=10**6, seed=3)
        done = []
        kept = keep.keep_maps(
            resolved, crops, net, Ranks(rank, count, local_count, torch.device("cpu"), local_rank),
            lambda number, total: done.append((number, total)),
        )  # fmt: skip
        looked_at[rank] = done[-1][0] if done else 0
        return kept

    monkeypatch.setattr(Ranks, "barrier", lambda self: None)  # they are asked one after the other
    views = load_recipe(recipe).freeze.views
    alone = maps(tmp_path / "alone", 0, 0, 1, 1)
    assert looked_at[0] == 75 * views
    maps(tmp_path / "one", 0, 0, 2, 2)
    both = maps(tmp_path / "one", 1, 1, 2, 2)
    assert (looked_at[0], looked_at[1]) == (64 * views, 11 * views)
    numbers = np.arange(75)
    for view in range(views):
        some = np.full_like(numbers, view)
        assert (both.batch(numbers, some) == alone.batch(numbers, some)).all()
    maps(tmp_path / "one", 1, 0, 1, 2)  # another machine that sees the folder
    assert looked_at[1] == 0
    maps(tmp_path / "two", 1, 0, 1, 2)  # and one that does not
    assert looked_at[1] == 75 * views


def test_a_full_disk_is_reported_before_the_work(tmp_path, teacher, strangers, monkeypatch):
    monkeypatch.setattr(keep.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(TrainingError, match=r"the maps of frozen layers take 0\.0 GB, 0\.0 GB are free"):
        begin(tmp_path, teacher, strangers)


def test_a_run_changes_the_upper_layers_alone(tmp_path, teacher, strangers):
    begin(tmp_path, teacher, strangers)
    before, after = (load_file(tmp_path / folder / "weights.safetensors") for folder in ("teacher", "run"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    below = [f"blocks.{number}." for number in range(11)] + ["conv1.", CUT]
    assert changed and not [name for name in changed if name.startswith(tuple(below))]
    assert not [name for name in changed if "running" in name or "num_batches" in name]
    lines = log_of(tmp_path / "run")
    assert lines[0]["samples"] == 6 * 4 + 18  # six people with four images each, twenty strangers less two held out
    steps = [line for line in lines if line["event"] == "train"]
    assert steps[0]["teacher_cosine"] > 0.95  # of the crop and its mirror image together


@pytest.mark.slow
def test_strangers_are_pushed_apart(tmp_path, teacher, strangers):
    begin(
        tmp_path, teacher, strangers, "schedule.length=60", "optimiser.lr=1e-3", "teacher.cosine=0.0",
        "teacher.identity=0.0", "strangers.weight=1.0", "strangers.margin=0.9", "loop.ema=0.0",
    )  # fmt: skip
    told = [line["strangers"] for line in log_of(tmp_path / "run") if line["event"] == "train"]
    assert np.mean(told[-5:]) < 0.8 * np.mean(told[:5])


def test_maps_are_kept_and_found_again(tmp_path, teacher, strangers, monkeypatch):
    begin(tmp_path, teacher, strangers, "schedule.length=1")
    filled = []
    monkeypatch.setattr(keep, "compute_maps", lambda kept, *_: filled.append(kept.missing()))
    begin(tmp_path, teacher, strangers, "schedule.length=1", "loop.ema=0", out="again")
    assert filled == [[]]


@pytest.mark.slow
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, teacher, strangers, monkeypatch):
    begin(tmp_path, teacher, strangers)
    whole = load_file(tmp_path / "run" / "weights.safetensors")
    from facepipe.train.loop.trainer import Trainer

    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, n, b: _stop() if n == 7 else step(self, n, b))
    with pytest.raises(KeyboardInterrupt):
        begin(tmp_path, teacher, strangers, out="second")
    monkeypatch.setattr(Trainer, "step", step)
    begin(tmp_path, teacher, strangers, out="second", resume=True)
    second = load_file(tmp_path / "second" / "weights.safetensors")
    assert all(torch.equal(whole[name], second[name]) for name in whole)


def _stop():
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_the_finished_model_keeps_a_share_of_the_teacher(tmp_path, teacher, strangers, ema):
    begin(tmp_path, teacher, strangers, f"loop.ema={ema}", "optimiser.lr=0.01")
    begin(tmp_path, teacher, strangers, f"loop.ema={ema}", "optimiser.lr=0.01", "teacher.interpolate=0.25", out="kept")
    before, alone, kept = (load_file(tmp_path / run / "weights.safetensors") for run in ("teacher", "run", "kept"))
    for name, weight in kept.items():
        if weight.is_floating_point():
            torch.testing.assert_close(weight, 0.25 * before[name] + 0.75 * alone[name], rtol=1e-5, atol=1e-6)
    assert not torch.equal(before["fc.weight"], alone["fc.weight"])
    # Also of a run that is resumed at its end, when the trained weights have been put back over the first ones.
    (tmp_path / "kept" / "weights.safetensors").unlink()
    begin(tmp_path, teacher, strangers, f"loop.ema={ema}", "optimiser.lr=0.01", "teacher.interpolate=0.25", out="kept",
          resume=True)  # fmt: skip
    again = load_file(tmp_path / "kept" / "weights.safetensors")
    assert all(torch.equal(again[name], kept[name]) for name in kept)


def test_what_cannot_be_frozen_is_one_line(tmp_path, teacher, strangers):
    with pytest.raises(RecipeError, match=r"freeze\.until needs teacher\.initialise = true"):
        begin(tmp_path, teacher, strangers, "teacher.initialise=false")
    with pytest.raises(RecipeError, match="the student is narrower than"):
        begin(tmp_path, teacher, strangers, "model.options={width=0.1875}", "teacher.initialise_crops=8")
    with pytest.raises(ModelError, match="no such layer"):
        begin(tmp_path, teacher, strangers, "freeze.until=fc")


def test_targets_are_the_sum_of_both_views(tmp_path, teacher, strangers):
    begin(tmp_path, teacher, strangers, "schedule.length=1")
    folder = next((tmp_path / "maps").iterdir())
    views = [np.load(folder / f"view-{view}.npy") for view in (0, 1)]
    net = mobilenet(0.25)
    with torch.inference_mode():
        told = [torch.nn.functional.normalize(Upper(net, CUT)(as_map(view)), dim=1) for view in views]
    expected = torch.nn.functional.normalize(told[0] + told[1], dim=1).numpy()
    kept = KeptMaps(folder, len(views[0]), 3, views[0].shape[1:])
    recipe = load_recipe(str(tmp_path / "run" / "recipe.toml"))
    assert initial_features(recipe, kept, net, torch.device("cpu")) == pytest.approx(expected, abs=1e-3)
    stored = list(folder.glob("features-*.npy"))
    assert len(stored) == 1 and np.load(stored[0]) == pytest.approx(expected, abs=1e-3)


def test_targets_are_computed_once(tmp_path, teacher, strangers, monkeypatch):
    begin(tmp_path, teacher, strangers, "schedule.length=1")
    stored = next((tmp_path / "maps").glob("*/features-*.npy"))

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("facepipe.train.trunk.initial_features.initial_features", refuse)
    begin(tmp_path, teacher, strangers, "schedule.length=1", out="again")
    stored.write_bytes(stored.read_bytes()[:-7])  # a damaged file counts for nothing
    with pytest.raises(AssertionError, match="computed again"):
        begin(tmp_path, teacher, strangers, "schedule.length=1", out="third")


def test_strangers_are_logged(tmp_path, teacher, strangers):
    begin(tmp_path, teacher, strangers)
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[1])
    assert {"strangers", "strangers_close", "teacher_cosine"} <= set(line)
