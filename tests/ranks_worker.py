"""Run by test_train_ranks.py in several processes that talk over gloo: compares, or trains."""

import json
import os
import sys
from pathlib import Path

import torch
from rich.console import Console

from facepipe import losses
from facepipe.train import resolve, train
from facepipe.train.distributed.ranks import join_ranks
from facepipe.train.distributed.sharded_loss import ShardedLoss

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


def main():
    torch.set_num_threads(1)
    mode, *arguments = sys.argv[1:]
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
