"""Runs with a teacher: its embeddings kept and found again, unlabelled crops and blends, resuming bit for bit."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from train_tiny import crop, encoded, write_folders, write_recipe, write_shard

from facepipe import backbones
from facepipe.datasets import add_unlabelled, open_samples, open_unlabelled, take
from facepipe.embedding import Embedder
from facepipe.errors import DatasetError, ModelError
from facepipe.images import read_rgb
from facepipe.train import RecipeError, Stopped, Trainer, TrainingError, resolve, train
from facepipe.train.data.blends import FAINTEST, blends
from facepipe.train.distributed.ranks import Ranks, join_ranks
from facepipe.train.evaluation.held_out import best_accuracy
from facepipe.train.recipe.file import load_recipe
from facepipe.train.run.card import write_model
from facepipe.train.teacher import features as teacher_features
from facepipe.train.teacher.features import teacher_features as features_of
from facepipe.train.teacher.targets import Teacher, teacher_targets
from facepipe.zoo import CardSource, load

QUIET = Console(quiet=True)
ALONE = Ranks(0, 1, 1, torch.device("cpu"))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data(tmp_path):
    return write_folders(tmp_path / "faces")


@pytest.fixture
def teacher(tmp_path):
    """A network with random weights, as the folder of a run."""
    torch.manual_seed(3)
    recipe = load_recipe(str(write_recipe(tmp_path / "teacher.toml")))
    model = recipe.model
    net = backbones.create(model.backbone, input_size=model.input_size, embedding_dim=8, **model.options)
    write_model(tmp_path / "teacher", net, recipe, [], CardSource(licence="CC0"))
    return tmp_path / "teacher"


def begin(tmp_path, data, teacher, *overrides, out="run", resume=False):
    recipe = str(write_recipe(tmp_path / "tiny.toml", f'[teacher]\nmodel = "{teacher.as_posix()}"\n'))
    more = (f"teacher.cache={(tmp_path / 'cache').as_posix()}", *overrides)
    resolved, folder = resolve(recipe, tmp_path / out, [data], more, resume)
    return train(resolved, folder, resume=resume, device="cpu", console=QUIET)


def unlabelled_shard(path, count=6):
    return write_shard(path, [(f"x{i}", encoded(crop(50 + i, 0)), None) for i in range(count)])


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def features(teacher, samples, folder):
    return features_of(str(teacher), load(teacher).card, samples, folder, "middle", ALONE, QUIET)


def test_features_are_the_mean_of_both_views_and_are_kept(tmp_path, data, teacher, monkeypatch):
    samples = open_samples([data])
    found = features(teacher, samples, tmp_path / "kept")
    pixels = np.stack([read_rgb(samples.read(i)) for i in range(len(samples))])
    embedder = Embedder(load(teacher), flip="none", precision="float32")
    views = [embedder(np.ascontiguousarray(view)).mu.astype(float) for view in (pixels, pixels[:, :, ::-1])]
    expected = sum(view / np.linalg.norm(view, axis=1, keepdims=True) for view in views) / 2
    assert found == pytest.approx(expected, abs=1e-3)  # float16 on disk
    # What is kept is not computed again, whatever the order or the company; only what is new is.
    embedded = []
    monkeypatch.setattr(
        teacher_features, "_embed", lambda *args, real=teacher_features._embed: (embedded.append(args[2]), real(*args))
    )
    assert (features(teacher, samples, tmp_path / "kept") == found).all()
    assert embedded == []
    more = add_unlabelled(samples, open_unlabelled([unlabelled_shard(tmp_path / "more.tar")]))
    again = features(teacher, more, tmp_path / "kept")
    assert (again[: len(samples)] == found).all()
    assert [sorted(chunk) for chunk in embedded] == [list(range(30, 36))]
    assert again[30:].any(1).all()


def test_centred_targets_are_directions_from_the_mean(tmp_path, data, teacher):
    samples, cache = open_samples([data]), str(tmp_path / "cache")
    part = take(samples, np.arange(10))
    with join_ranks("cpu") as ranks:
        settings = Teacher(model=str(teacher), cache=cache, mirror=False)
        centred = teacher_targets(settings, samples, part, "middle", ranks, QUIET)
        plain = teacher_targets(settings.model_copy(update={"centre": False}), samples, part, "middle", ranks, QUIET)
    expected = plain.training.astype(float) - plain.training.mean(0, dtype=float)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert centred.training == pytest.approx(expected, abs=1e-5)
    assert centred.held_out == pytest.approx(expected[:10], abs=1e-5)  # around the mean of the training samples
    pixels = np.stack([read_rgb(samples.read(i)) for i in range(len(samples))])
    one_view = Embedder(load(teacher), flip="none", precision="float32")(pixels).mu
    assert (plain.training * one_view).sum(1) == pytest.approx(np.linalg.norm(one_view, axis=1), rel=1e-5)


def test_a_damaged_part_is_computed_again_and_an_unreadable_crop_has_no_target(tmp_path, teacher):
    images = [(f"a{i}", encoded(crop(i, 0)), None) for i in range(4)] + [("b", b"no image", None)]
    samples = open_unlabelled([write_shard(tmp_path / "s.tar", images)])
    found = features(teacher, samples, tmp_path / "kept")
    assert found.any(1).tolist() == [True] * 4 + [False]
    (part,) = (tmp_path / "kept").glob("*.npz")
    part.write_bytes(part.read_bytes()[:50])
    assert (features(teacher, samples, tmp_path / "kept") == found).all()


def test_a_run_learns_from_the_teacher_with_unlabelled_crops_and_blends(tmp_path, data, teacher):
    shard = unlabelled_shard(tmp_path / "more.tar")
    begin(
        tmp_path, data, teacher, "schedule.length=60", "schedule.milestones=[45]",
        "optimiser.name=adamw", "optimiser.groups=no-norm",
        "optimiser.lr=0.005", f"data.unlabelled=['{shard.as_posix()}']", "data.blends=0.5", "data.held_out=2",
        "evaluate.held_out=true", "evaluate.every=20", "evaluate.fars=[0.1]", "teacher.relational=0.5",
        "teacher.identity=0.1", "data.about=tiny", "data.licence=CC0",
    )  # fmt: skip
    lines = log_of(tmp_path / "run")
    steps = [line for line in lines if line["event"] == "train"]
    assert steps[-1]["teacher_cosine"] > steps[0]["teacher_cosine"] + 0.2
    assert {"relational", "identity", "target_cosine"} <= steps[-1].keys()
    assert lines[0]["samples"] == 20 + 6 + 13 and lines[0]["classes"] == 4
    told = [line for line in lines if line["event"] == "evaluation"]
    assert [line["step"] for line in told] == [20, 40, 60]
    assert {"held_out_accuracy", "held_out_tar_1e-1", "held_out_teacher_cosine"} <= told[0].keys()
    assert 0.2 < told[-1]["held_out_teacher_cosine"] <= 1
    card = load(tmp_path / "run").card
    assert card.source.training_data == "tiny: 20 images of 4 identities, and 19 without identity"
    assert card.source.licence == "data: CC0; teacher teacher: CC0" and "teacher@" in card.source.notes
    assert load_file(tmp_path / "run" / "classes.safetensors")["weight"].shape == (4, 8)


def test_resuming_is_bit_for_bit(tmp_path, data, teacher, monkeypatch):
    shard = unlabelled_shard(tmp_path / "more.tar")
    settings = (
        f"data.unlabelled=['{shard.as_posix()}']", "data.blends=0.3", "teacher.relational=1.0", "teacher.identity=0.1",
        "optimiser.name=adamw", "optimiser.groups=no-norm", "loop.ema=0.9", "augment.warp=0.5", "augment.erase=0.5",
        "augment.inpaint=0.5",
    )  # fmt: skip
    begin(tmp_path, data, teacher, *settings, out="whole")
    step = Trainer.step

    def interrupted(self, number, batches):
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        with pytest.raises(Stopped, match="after step 6"):
            begin(tmp_path, data, teacher, *settings, out="parts")
    begin(tmp_path, data, teacher, *settings, out="parts", resume=True)
    for name in ("weights.safetensors", "classes.safetensors"):
        whole, parts = (load_file(tmp_path / out / name) for out in ("whole", "parts"))
        assert whole.keys() == parts.keys() and all(torch.equal(whole[key], parts[key]) for key in whole)


def test_without_identity_term_the_centres_are_the_teachers(tmp_path, data, teacher):
    begin(tmp_path, data, teacher, "teacher.centre=false")
    centres = load_file(tmp_path / "run" / "classes.safetensors")["weight"].numpy()
    found = features(teacher, open_samples([data]), tmp_path / "again")
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    expected = unit.reshape(6, 5, 8).sum(1)
    assert centres == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True), abs=2e-3)


def test_blends_mix_two_crops_and_are_always_the_same(data):
    samples = open_samples([data])
    mixed = blends(samples, 40, seed=1)
    again = blends(samples, 40, seed=1)
    sources = [read_rgb(samples.read(i)).astype(float) for i in range(len(samples))]
    assert (mixed.labels == -1).all() and len(mixed) == 40
    for index in (0, 7, 31):
        pixels = read_rgb(mixed.read(index)).astype(float)
        assert (pixels == read_rgb(again.read(index))).all()
        a = sources[index % 30]
        fits = []
        for b in sources:
            if (span := ((a - b) ** 2).sum()) > 0:
                share = ((pixels - b) * (a - b)).sum() / span
                fits.append((abs(share * a + (1 - share) * b - pixels).max(), share))
        error, share = min(fits)
        assert error < 0.8 and FAINTEST - 0.01 < share < 1 - FAINTEST + 0.01


def test_unlabelled_sources(tmp_path, data):
    labelled = write_shard(tmp_path / "l.tar", [("a", encoded(crop(0, 0)), {"identity": "x"})])
    both = open_unlabelled([labelled, data])
    assert (both.labels == -1).all() and len(both) == 31 and list(both.identities) == []
    assert (read_rgb(both.read(0)) == crop(0, 0)).all() and (read_rgb(both.read(30)) == crop(5, 4)).all()
    joined = add_unlabelled(open_samples([data]), both)
    assert len(joined.identities) == 6 and joined.labels.tolist()[30:] == [-1] * 31
    with pytest.raises(DatasetError, match="unlabelled"):
        open_unlabelled([tmp_path / "nowhere"])


def test_what_does_not_go_together_is_one_line(tmp_path, data, teacher):
    with pytest.raises(RecipeError, match=r"embedding_dim = 4: embeddings of teacher teacher have 8 dimensions"):
        begin(tmp_path, data, teacher, "model.embedding_dim=4")
    with pytest.raises(RecipeError, match="need a teacher"):
        begin(tmp_path, data, teacher, "teacher.model=''", "data.blends=1.0")
    with pytest.raises(RecipeError, match="triplet"):
        begin(tmp_path, data, teacher, "loss.name=triplet", "teacher.identity=1.0")
    with pytest.raises(ModelError):
        begin(tmp_path, data, tmp_path / "nobody" / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"choose another teacher\.cache"):
        begin(tmp_path, data, teacher, f"teacher.cache={(tmp_path / 'file').as_posix()}")


def test_best_accuracy_is_that_of_trying_every_threshold():
    rng = np.random.default_rng(0)
    for genuine, impostor in [(rng.normal(1, 1, 30), rng.normal(0, 1, 50)), (np.zeros(3), np.zeros(4))]:
        tried = [((genuine >= t).mean() + (impostor < t).mean()) / 2 for t in [*genuine, *impostor, -9, 9]]
        assert best_accuracy(genuine, impostor) == pytest.approx(max(tried))
    assert np.isnan(best_accuracy(np.zeros(0), np.zeros(3)))


def test_the_shipped_recipe_is_whole():
    recipe = load_recipe("distil")
    assert recipe.teacher.model == "sface" and recipe.model.embedding_dim == 128
    assert recipe.data.held_out and not recipe.evaluate.pairs and not recipe.data.paths
