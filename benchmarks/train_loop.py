"""Samples per second of the training loop, compared with a bare PyTorch loop, and of the loader alone.

    python benchmarks/train_loop.py DATA [--recipe sphereface10-small] [--batch 128] [--steps 10] [--rounds 5]

The bare loop has the same network, loss and batch size, and takes prepared batches of normalised tensors:
forward, backward, optimiser step, nothing else. Both alternate in one process, so that a busy machine slows both;
the output has the best round of each and the median of the rounds' ratios. The loader has two figures:
with every crop decoded, and with all of them in memory.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import closing

import torch

from facepipe import backbones, losses
from facepipe.train import load_recipe
from facepipe.train.data.crops import Crops
from facepipe.train.data.loader import Loader, to_network
from facepipe.train.distributed.ranks import join_ranks
from facepipe.train.run.prepare import prepare


def timed(work: Callable[[], None], device: torch.device) -> float:
    """Seconds that ``work`` takes."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--recipe", default="sphereface10-small")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    options = parser.parse_args()
    paths = f"data.paths={json.dumps(options.data)}"
    recipe = load_recipe(options.recipe, [paths, f"loop.batch={options.batch}", *options.overrides])
    with join_ranks(options.device) as ranks:
        ready = prepare(recipe, ranks)
        model, device = recipe.model, ranks.device
        bare_net = backbones.create(
            model.backbone, input_size=model.input_size, embedding_dim=model.embedding_dim, **model.options
        ).to(device, memory_format=torch.channels_last)
        classes = len(ready.samples.identities)
        bare_loss = losses.create(recipe.loss.name, model.embedding_dim, classes, **recipe.loss.options).to(device)
        trained = [p for p in [*bare_net.parameters(), *bare_loss.parameters()] if p.requires_grad]
        optimiser = torch.optim.SGD(trained, lr=1e-3, momentum=0.9, weight_decay=5e-4)
        ready_batches = [ready.loader.build(step, 0) for step in range(4)]
        tensors = [
            (to_network(x, device, model.mean, model.scale, model.channels), torch.from_numpy(y).to(device))
            for x, y in ready_batches
        ]
        dtype = ready.trainer.dtype

        def bare() -> None:
            for step in range(options.steps):
                x, y = tensors[step % len(tensors)]
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                    features = bare_net(x)
                out = bare_loss(features, y, step + 1)
                out.loss.backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)

        first = 0

        def ours() -> None:
            nonlocal first
            with closing(ready.loader.batches(first, first + options.steps)) as batches:
                for step in range(first, first + options.steps):
                    ready.trainer.step(step, batches)
            first += options.steps

        bare(), ours()
        samples = options.steps * options.batch
        rounds = [(samples / timed(bare, device), samples / timed(ours, device)) for _ in range(options.rounds)]
        loads = {}
        for name, memory in (("decoding", 0), ("in_memory", 1 << 33)):
            crops = Crops(ready.samples, model.input_size, recipe.data.fit, memory)
            loader = Loader(crops, recipe.augment, 0, ready.share, recipe.data.workers, recipe.data.prefetch_batches)
            count = min(40, len(ready.samples) // options.batch)

            def load(loader: Loader = loader, count: int = count) -> None:
                with closing(loader.batches(0, count)) as batches:
                    for _ in batches:
                        pass

            load()
            loads[name] = round(count * options.batch / timed(load, device))
    best_bare, best_ours = max(b for b, _ in rounds), max(o for _, o in rounds)
    print(json.dumps({
        "recipe": options.recipe, "batch": options.batch, "device": str(device), "threads": torch.get_num_threads(),
        "precision": str(dtype).removeprefix("torch."), "bare_samples_per_second": round(best_bare, 1),
        "loop_samples_per_second": round(best_ours, 1), "ratio_of_best": round(best_ours / best_bare, 3),
        "median_ratio": round(statistics.median(o / b for b, o in rounds), 3),
        "loader_samples_per_second": loads,
    }))


if __name__ == "__main__":
    main()
