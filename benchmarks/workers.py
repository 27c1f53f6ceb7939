"""Embedding photos in one process and on Ray workers: rate, CPU time of all processes, and start-up.

    OMP_NUM_THREADS=2 python benchmarks/workers.py LFW --images 1024 --workers 2 [--rounds 3]

Both are measured in turn, so that other load on the machine affects both; CPU time depends on it less than wall time
does. A worker has one thread, the plain process as many as there are workers.
"""

import argparse
import os
import time
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import create_detector
from facepipe.embedding import Embedder, Embeddings, join
from facepipe.ensemble import embed_ensemble, embed_ensemble_on
from facepipe.images import list_images
from facepipe.pipeline import Cropper
from facepipe.workers import OnRay
from facepipe.zoo import load

TICKS = os.sysconf("SC_CLK_TCK")


def members(model: str) -> list[tuple[Cropper, Embedder]]:
    """Detector and model, on the CPU."""
    embedder = Embedder(load(model, "cpu"), precision="float32")
    return [(Cropper(Aligner(embedder.model.card.input.template), create_detector(device="cpu")), embedder)]


def processor_seconds() -> dict[int, float]:
    """Of this process and all below it, Ray's own among them, by process."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    mine = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return {process: spent[process] for process in mine if process in spent}


def measure(what: str, run: "partial[list[Embeddings]]", count: int) -> Embeddings:
    """Run it and print a line."""
    began, before = time.monotonic(), processor_seconds()
    found = join(run())
    seconds = time.monotonic() - began
    spent = sum(now - before.get(process, 0) for process, now in processor_seconds().items())
    print(f"{what}: {count / seconds:6.1f} photos/s, {1000 * spent / count:5.1f} ms of processor time per photo")
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-m", "--model", default="facepipe-mobilenet")
    given = parser.parse_args()
    import ray

    began = time.monotonic()
    ray.init(num_cpus=given.workers, include_dashboard=False, log_to_driver=False, object_store_memory=256 << 20)
    print(f"Ray started in {time.monotonic() - began:.1f} s")
    files = list(islice(list_images(given.photos), given.images))
    here = members(given.model)
    load_members = partial(members, given.model)
    on = OnRay(workers=given.workers)
    measure("warm-up      ", partial(list, embed_ensemble(files[:256], here)), min(256, len(files)))
    for _ in range(given.rounds):
        alone = measure("one process  ", partial(_all, embed_ensemble, files, here), len(files))
        shared = measure("Ray, loading ", partial(_all, embed_ensemble_on, on, files, load_members, "cpu"), len(files))
    assert alone.paths == shared.paths
    print(f"largest difference of an embedding's number: {np.abs(alone.mu - shared.mu).max():.1e}")


def _all(embed: "partial", *words: object) -> list[Embeddings]:
    return list(embed(*words))


if __name__ == "__main__":
    main()
