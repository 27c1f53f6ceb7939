"""Run by tests of several processes that talk over gloo: compares, trains, or asks a teacher."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from facepipe import losses
from facepipe.datasets import open_samples
from facepipe.train import resolve, train
from facepipe.train.distributed.ranks import join_ranks
from facepipe.train.distributed.sharded_loss import ShardedLoss
from facepipe.train.loop.checkpoint import load_checkpoint, save_checkpoint
from facepipe.train.loop.state import restore_state, room_for_classes, take_state
from facepipe.train.run.prepare import prepare
from facepipe.train.teacher import features
from facepipe.zoo import load

CASES = [
    ("a_softmax", {"m": 4}),
    ("a_softmax", {"m": 3, "gradient": "autograd"}),
    ("softmax", {}),
    ("arcface", {}),
    ("cosface", {"projected": True}),
    ("sphereface2", {}),
    ("normface", {}),
]
SAMPLES, DIM, CLASSES = 12, 8, 7


def gradients(module):
    return {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}


def compare(ranks):
    """Largest differences of loss, feature gradient and class gradient from one process with all samples."""
    found = {}
    for name, options in CASES:
        torch.manual_seed(3)
        whole = losses.create(name, DIM, CLASSES, **options).double()
        features = torch.randn(SAMPLES, DIM, dtype=torch.float64, requires_grad=True)
        labels = torch.arange(SAMPLES) % CLASSES
        expected = whole(features, labels, 40)
        expected.loss.backward()
        torch.manual_seed(3)
        part = losses.create(name, DIM, CLASSES, **options).double()
        sharded = ShardedLoss(part, ranks)
        mine = slice(ranks.rank * SAMPLES // ranks.count, (ranks.rank + 1) * SAMPLES // ranks.count)
        own = features.detach()[mine].clone().requires_grad_()
        got = sharded(own, labels[mine], 40)
        got.loss.backward()
        rows = slice(part.classes.first, part.classes.first + len(part.classes.weight))
        difference = [
            abs(got.loss - expected.loss),
            # DistributedDataParallel would divide by the number of ranks.
            abs(own.grad / ranks.count - features.grad[mine]).max(),
            abs(part.classes.weight.grad - whole.classes.weight.grad[rows]).max(),
            max(abs(got.logged[key] - value) for key, value in expected.logged.items()),
        ]
        theirs = gradients(whole)
        for key, gradient in gradients(part).items():
            if not key.startswith("classes."):
                total = gradient.clone()
                torch.distributed.all_reduce(total)
                difference.append(abs(total - theirs[key]).max())
        found[f"{name} {options}"] = max(float(value) for value in difference)
    return found


def steps_in_double(recipe, data, run, saved_after, last, overrides=()):
    """Losses and weights of a run's steps in float64, from its checkpoint on if there is one."""
    torch.set_default_dtype(torch.float64)
    try:
        with join_ranks("cpu") as ranks:
            ready = prepare(resolve(str(recipe), Path(run), [str(data)], overrides, False)[0], ranks)
            trainer = ready.trainer
            assert all(parameter.dtype == torch.float64 for parameter in trainer.names)
            trainer.net.register_forward_pre_hook(lambda _, given: (given[0].double(),))
            found = load_checkpoint(Path(run), ready.fingerprint, room_for_classes(trainer), ranks)
            first = found[0].step if found else 0
            if found:
                restore_state(trainer, found[0])
            seen, batches = {}, ready.loader.batches(first, last)
            for number in range(first, last):
                # Of all ranks: where classes are not spread, each has the loss of its own samples.
                loss = trainer.step(number, batches).loss
                seen[number] = float(ranks.add_up(loss.clone())) / ranks.count
                if number + 1 == saved_after:
                    values = {"fingerprint": ready.fingerprint}
                    save_checkpoint(Path(run), take_state(trainer, saved_after, values), ranks)
            return seen, take_state(trainer, last, {}).tensors, ranks
    finally:
        torch.set_default_dtype(torch.float32)


def ask_teacher(teacher, data, folder):
    """Writes what each rank is told, and how many crops it looked at; ``{}`` in the folder's name is the rank."""
    looked_at = []
    embed = features._embed
    features._embed = lambda *given: (looked_at.append(len(given[2])), embed(*given))
    with join_ranks("cpu") as ranks:
        own = Path(folder.format(ranks.rank))
        told = features.teacher_features(
            teacher, load(teacher).card, open_samples([data]), own, "middle", ranks, Console(quiet=True)
        )
        np.savez(Path(folder.format("told")).with_suffix(f".{ranks.rank}.npz"), told=told, looked_at=sum(looked_at))


def main():
    torch.set_num_threads(1)
    mode, *arguments = sys.argv[1:]
    if mode == "double":
        recipe, data, run, saved_after, last = arguments
        seen, tensors, ranks = steps_in_double(recipe, data, run, int(saved_after), int(last))
        torch.save({"losses": seen, "tensors": tensors}, f"{run}.{ranks.rank}.pt")
        return
    if mode == "teacher":
        os.environ["MASTER_PORT"] = os.environ["MASTER_PORT"].split(",")[0]
        ask_teacher(*arguments)
        return
    if mode == "compare":
        os.environ["MASTER_PORT"] = os.environ["MASTER_PORT"].split(",")[0]
        with join_ranks("cpu") as ranks:
            found = compare(ranks)
            print(json.dumps(found) if ranks.first else "")
        return
    recipe, data, runs, *overrides = arguments
    ports = os.environ["MASTER_PORT"].split(",")
    resume = mode == "resume"
    for number, run in enumerate(runs.split(",")):
        # A port of its own, or one rank may meet the store of the run before.
        os.environ["MASTER_PORT"] = ports[number]
        resolved, folder = resolve(recipe, Path(run), [data], overrides, resume)
        train(resolved, folder, resume=resume, device="cpu", console=Console(quiet=True))


if __name__ == "__main__":
    main()
