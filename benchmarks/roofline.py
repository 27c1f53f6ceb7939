"""How far is each stage from the limits of this machine?

    python benchmarks/roofline.py PHOTOS [--limit 256] [--rounds 5] [-m facepipe-mobilenet]

For decoding, detection, alignment and embedding: photos per second, floating-point operations per photo as counted by
PyTorch, the resulting rate, and its fraction of the peak. The peak is measured in the same run, alternating with the
stages: a product of square float32 matrices. ``mbytes_per_photo`` is the minimum traffic (weights once, input and
output), ``memory_gb_s`` the bandwidth of copying 256 MB. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from facepipe.alignment import Aligner
from facepipe.detection import DetectorSettings, choose
from facepipe.detection.cascade import MTCNN
from facepipe.embedding import Embedder
from facepipe.images import list_images
from facepipe.zoo import load

_SIDE, _COPY = 1024, 256 << 20


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def operations(work: Callable[[], Any]) -> int:
    """Floating-point operations of convolutions and products; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def peak_work() -> Callable[[], Any]:
    a, b = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    return lambda: [a @ b for _ in range(20)]


def copy_work() -> Callable[[], Any]:
    source, target = torch.zeros(_COPY, dtype=torch.uint8), torch.zeros(_COPY, dtype=torch.uint8)
    return lambda: target.copy_(source)


def parameters(*networks: torch.nn.Module) -> int:
    return sum(p.numel() * p.element_size() for network in networks for p in network.parameters())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", type=Path)
    options.add_argument("--limit", type=int, default=256)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("-m", "--model", default="facepipe-mobilenet")
    given = options.parse_args()
    paths = sorted(list_images(given.photos))
    paths = paths[:: max(1, len(paths) // given.limit)][: given.limit]
    encoded = [path.read_bytes() for path in paths]
    detector = MTCNN(DetectorSettings(), "cpu")
    embedder = Embedder(load(given.model), flip="none", precision="float32")
    aligner = Aligner(embedder.model.card.input.template)

    def decode() -> list[np.ndarray]:
        return [cv2.cvtColor(cv2.imdecode(np.frombuffer(one, np.uint8), 1), cv2.COLOR_BGR2RGB) for one in encoded]

    photos = decode()
    faces = detector(photos)
    found = [(photo, each) for photo, each in zip(photos, faces, strict=True) if len(each)]
    pairs = [(photo, each.landmarks[choose(each, "centre", photo.shape[:2])[0]]) for photo, each in found]
    crops = np.stack([aligner(photo, points) for photo, points in pairs])

    stages: dict[str, tuple[Callable[[], Any], int, int]] = {
        "decode": (decode, len(photos), sum(p.nbytes for p in photos)),
        "detect": (lambda: detector(photos), len(photos), sum(p.nbytes for p in photos)),
        "align": (lambda: [aligner(*pair) for pair in pairs], len(pairs), 2 * crops.nbytes),
        "embed": (lambda: embedder(crops), len(crops), crops.nbytes + parameters(embedder.model.network)),
    }
    spent: dict[str, list[float]] = {name: [] for name in (*stages, "peak", "copy")}
    yardsticks = {"peak": peak_work(), "copy": copy_work()}
    for _ in range(given.rounds):
        for name, work in yardsticks.items():
            spent[name].append(seconds(work))
        for name, (work, _, _) in stages.items():
            spent[name].append(seconds(work))
    best = {name: min(values) for name, values in spent.items()}
    peak = 20 * 2 * _SIDE**3 / best["peak"]
    told: dict[str, Any] = {
        "threads": torch.get_num_threads(), "peak_gflops": round(peak / 1e9, 1),
        "memory_gb_s": round(2 * _COPY / best["copy"] / 1e9, 1),
    }  # fmt: skip
    # One by one, past the threads over which the detector spreads photos and which the counter does not see.
    counted = {
        "detect": operations(lambda: [detector._find([photo]) for photo in photos]),
        "embed": operations(lambda: embedder(crops)),
    }
    for name, (_, count, moved) in stages.items():
        row = {"per_second": round(count / best[name], 1), "mbytes_per_photo": round(moved / count / 1e6, 3)}
        if name in counted:
            flops = counted[name]
            row |= {
                "mflop_per_photo": round(flops / count / 1e6, 1), "gflops": round(flops / best[name] / 1e9, 1),
                "share_of_peak": round(flops / best[name] / peak, 3),
            }  # fmt: skip
        told[name] = row
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
