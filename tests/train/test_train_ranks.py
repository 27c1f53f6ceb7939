"""Several ranks over gloo on the CPU, and the sampled softmax: the same numbers as one process."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from train_tiny import write_folders, write_recipe

from facepipe import losses
from facepipe.errors import ModelError
from facepipe.train import resolve, train
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.distributed.sharded_loss import ShardedLoss, shard_of
from facepipe.train.loop.checkpoint import checkpoint_folders
from facepipe.train.run.prepare import prepare

pytestmark = pytest.mark.slow
WORKER = Path(__file__).parents[1] / "ranks_worker.py"
ALONE = Ranks(0, 1, 1, torch.device("cpu"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def launch(count: int, *arguments: str) -> list[str]:
    """Run the worker in ``count`` processes; returns what each wrote to stdout."""
    common = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{_free_port()},{_free_port()}"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), *map(str, arguments)],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        outputs = [process.communicate(timeout=180) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(process.returncode == 0 for process in processes), outputs[0][1][-3000:] + outputs[-1][1][-3000:]
    return [out for out, _ in outputs]


def test_two_ranks_give_the_loss_and_gradients_of_one():
    differences = json.loads(launch(2, "compare")[0])
    assert len(differences) == 7
    assert max(differences.values()) < 1e-12, differences


SETTINGS = (
    "schedule.length=6",
    "schedule.milestones=[2, 4]",
    "loop.checkpoint_every=3",
    "optimiser.clip=0.3",
    "optimiser.lr_in_velocity=true",
    "loop.ema=0.5",
)


def final(run):
    return load_file(run / "weights.safetensors") | {"classes": load_file(run / "classes.safetensors")["weight"]}


def largest_difference(ours, theirs):
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path):
    data = write_folders(tmp_path / "faces", identities=7)
    recipe = str(write_recipe(tmp_path / "tiny.toml"))

    torch.set_num_threads(1)

    def here(run, resume=False):
        resolved, folder = resolve(recipe, tmp_path / run, [data], SETTINGS, resume)
        train(resolved, folder, resume=resume, device="cpu", console=Console(quiet=True))
        return final(folder)

    expected = here("alone")
    launch(4, "train", recipe, data, tmp_path / "four", *SETTINGS)
    assert largest_difference(final(tmp_path / "four"), expected) < 1e-6
    last, middle = checkpoint_folders(tmp_path / "four")
    assert (middle / "classes" / ".metadata").is_file()
    assert not any("classes" in name for name in load_file(middle / "state.safetensors"))
    shutil.rmtree(last)
    shutil.copytree(tmp_path / "four", tmp_path / "four-to-one")
    shutil.copytree(tmp_path / "alone", tmp_path / "one-to-two")
    shutil.rmtree(checkpoint_folders(tmp_path / "one-to-two")[0])
    launch(2, "resume", recipe, data, f"{tmp_path / 'four'},{tmp_path / 'one-to-two'}", *SETTINGS)
    assert largest_difference(final(tmp_path / "four"), expected) < 1e-6
    assert largest_difference(final(tmp_path / "one-to-two"), expected) < 1e-6
    assert largest_difference(here("four-to-one", resume=True), expected) < 1e-6


def test_shards_are_those_of_dtensor():
    for classes, ranks in [(7, 2), (7, 4), (8, 4), (10572, 8), (85742, 3)]:
        chunks = torch.arange(classes).chunk(ranks)
        for rank, chunk in enumerate(chunks):
            assert shard_of(classes, ranks, rank) == (int(chunk[0]), int(chunk[-1]) + 1)
    with pytest.raises(ModelError, match="6 classes cannot be split over 4 ranks"):
        shard_of(6, 4, 0)


def sampled(rate, classes=40, seed=0):
    torch.manual_seed(seed)
    loss = losses.create("cosface", 8, classes, s=16.0, m=0.2)
    return ShardedLoss(loss, ALONE, rate, seed)


def batch(classes=40):
    torch.manual_seed(1)
    return torch.randn(10, 8, requires_grad=True), torch.randint(0, classes, (10,))


def test_a_sample_has_all_labels_and_as_many_others_as_allowed():
    features, labels = batch()
    chosen = []
    for step in range(1, 30):
        loss = sampled(0.5)
        loss(features, labels, step)
        rows = loss.sampled.rows
        assert len(rows) == 20 and (rows[1:] > rows[:-1]).all()
        assert set(labels.tolist()) <= set(rows.tolist())
        again = sampled(0.5)
        again(features, labels, step)
        assert (again.sampled.rows == rows).all()
        chosen.append(tuple(rows.tolist()))
    assert len(set(chosen)) > 20
    assert set().union(*chosen) == set(range(40))
    scarce = sampled(0.05)
    scarce(features, labels, 1)
    assert set(scarce.sampled.rows.tolist()) == set(labels.tolist())


def test_sampled_softmax_longhand():
    features, labels = batch()
    loss = sampled(0.5)
    out = loss(features, labels, 1)
    out.loss.backward()
    rows = loss.sampled.rows.numpy()
    x = features.detach().double().numpy()
    w = loss.loss.classes.weight.detach().double().numpy()[rows]
    cosine = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (w / np.linalg.norm(w, axis=1, keepdims=True)).T
    place = np.array([int(np.flatnonzero(rows == label)[0]) for label in labels])
    cosine[np.arange(10), place] -= 0.2
    logits = 16 * cosine
    log_sum = np.log(np.exp(logits).sum(1))
    assert float(out.loss.detach()) == pytest.approx((log_sum - logits[np.arange(10), place]).mean(), abs=1e-5)


def test_only_sampled_rows_take_a_step():
    features, labels = batch()
    loss = sampled(0.5)
    classes = loss.loss.classes
    before = classes.weight.detach().clone()
    velocity = torch.rand_like(before)
    old_velocity = velocity.clone()
    loss(features, labels, 1).loss.backward()
    assert classes.weight.grad is None
    rows, gradient = loss.sampled.rows, loss.sampled.weight.grad.clone()
    loss.sampled.write_back(velocity, lr=0.1, momentum=0.9, weight_decay=0.01)
    rest = torch.ones(40, dtype=torch.bool).index_fill_(0, rows, False)
    assert torch.equal(classes.weight.detach()[rest], before[rest])
    assert torch.equal(velocity[rest], old_velocity[rest])
    moved = 0.9 * old_velocity[rows] + gradient + 0.01 * before[rows]
    assert torch.allclose(velocity[rows], moved, atol=1e-6)
    assert torch.allclose(classes.weight.detach()[rows], before[rows] - 0.1 * moved, atol=1e-6)


def test_a_sample_of_all_classes_is_the_whole_softmax():
    features, labels = batch()
    whole, all_sampled = sampled(1.0), sampled(0.999)
    first, second = whole(features, labels, 1), all_sampled(features, labels, 1)
    assert all_sampled.sampled.rows.tolist() == list(range(40))
    assert torch.allclose(first.loss, second.loss, atol=1e-6)
    first.loss.backward()
    second.loss.backward()
    assert torch.allclose(whole.loss.classes.weight.grad, all_sampled.sampled.weight.grad, atol=1e-6)


def _sampled_trainer(tmp_path, *overrides):
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    data = write_folders(tmp_path / "faces", identities=7)
    more = ("distributed.sample_rate=0.5", "loss.name=cosface", *overrides)
    resolved, _ = resolve(recipe, tmp_path / "run", [data], more, False)
    ready = prepare(resolved, ALONE)
    return ready.trainer, ready.loader.batches(0, 3)


def test_a_value_clip_reaches_the_sampled_classes(tmp_path):
    trainer, batches = _sampled_trainer(
        tmp_path, "optimiser.clip_value=1e-4", "optimiser.momentum=0", "optimiser.weight_decay=0", "optimiser.lr=1"
    )
    before = trainer.loss.classes.weight.detach().clone()
    trainer.step(0, batches)
    moved = (trainer.loss.classes.weight.detach() - before).abs().max()
    assert 0 < float(moved) <= 1.001e-4


def test_nan_in_sampled_classes_is_detected(tmp_path):
    trainer, batches = _sampled_trainer(tmp_path)
    trainer.step(0, batches)
    assert trainer.finite()
    trainer.loss.classes.weight.data[3, 0] = torch.nan
    assert not trainer.finite()
