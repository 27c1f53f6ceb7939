"""How many crops a second models embed; they take turns, so that other load on the machine affects all alike.

    python benchmarks/embedding_rate.py PHOTOS -m facepipe-mobilenet -m sface [--crops 256] [--rounds 5] [--json]

Each model runs in each engine, with one view of a crop (``--flip none``) and with its card's flip rule. With ``--plain
FILE``, a file of ``facepipe models export`` runs in ONNX Runtime alone, with default settings and one view. The crops
are whole photos resized to the model's input: a network's speed does not depend on what they show. Best of the rounds.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facepipe.embedding import Embedder
from facepipe.errors import FacepipeError
from facepipe.images import list_images, read_rgb
from facepipe.zoo import load

_BATCH = 64


def embedders(model: str) -> dict[str, Embedder]:
    """Engine and views → the embedder."""
    found = {}
    for engine in ("onnx", "torch"):
        try:
            loaded = load(model, "cpu", engine)
        except FacepipeError as error:
            print(f"{model}, {engine}: left out, {error}")
            continue
        for flip in dict.fromkeys(("none", loaded.card.embedding.flip)):
            name = f"{loaded.identity}, {engine}, " + ("one view" if flip == "none" else f"flip {flip}")
            found[name] = Embedder(loaded, flip, "float32")
    return found


def plain(file: Path) -> tuple[Callable[[np.ndarray], Any], tuple[int, int]]:
    """ONNX Runtime alone on a file of ``models export``, and the size of its crops."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]

    def run(crops: np.ndarray) -> None:
        pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32)
        for first in range(0, len(pixels), _BATCH):
            session.run(None, {given.name: pixels[first : first + _BATCH]})

    return run, (given.shape[2], given.shape[3])


def main() -> None:
    """Measure in turns and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", type=Path)
    options.add_argument("-m", "--model", action="append", required=True)
    options.add_argument("--plain", type=Path, action="append", default=[], metavar="FILE.onnx")
    options.add_argument("--crops", type=int, default=256)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    photos = [read_rgb(path) for path in sorted(list_images(given.photos))[: given.crops]]
    work: dict[str, tuple[Callable[[np.ndarray], Any], tuple[int, int]]] = {}
    for model in given.model:
        work |= {name: (embedder, embedder.size) for name, embedder in embedders(model).items()}
    work |= {f"{file.name}, ONNX Runtime alone, batches of {_BATCH}": plain(file) for file in given.plain}
    crops = {size: np.stack([cv2.resize(one, size[::-1]) for one in photos]) for size in {s for _, s in work.values()}}
    best = dict.fromkeys(work, float("inf"))
    for _ in range(given.rounds):
        for name, (run, size) in work.items():
            begun = time.perf_counter()
            run(crops[size])
            best[name] = min(best[name], time.perf_counter() - begun)
    rates = {name: round(len(photos) / seconds, 1) for name, seconds in best.items()}
    if given.json:
        print(json.dumps(rates, indent=2))
    else:
        print("\n".join(f"{rate:8.1f}/s  {name}" for name, rate in rates.items()))


if __name__ == "__main__":
    main()
