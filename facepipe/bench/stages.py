"""Timing the stages in turns with their peers, so that other load on the machine affects both."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from facepipe.bench.peers import Peer, facenet_mtcnn, has_facenet, plain_forward
from facepipe.bench.row import StageRow
from facepipe.bench.warps import align_rows, all_stages_rows
from facepipe.detection import DetectorSettings, create_detector
from facepipe.embedding import Embedder
from facepipe.errors import ImageError
from facepipe.images import read_rgb
from facepipe.tables import counted

STAGES = 6
"""Stages over which `bench` reports progress."""
_PART = 64


def bench(
    paths: Sequence[Path],
    embedder: Embedder,
    settings: DetectorSettings,
    device: str,
    advance: Callable[[int], None] = lambda _count: None,
    failed: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> list[StageRow]:
    """Measure reading, detection, alignment and embedding over the given images, and the last three together.

    Crops are cut on the host, and for comparison on the device.

    Args:
        paths: of images; peers need images of one size, as in LFW.
        embedder: with the model to measure.
        settings: of the detector and of its peer.
        device: for both.
        advance: called with the number of images finished in each step, over `STAGES` stages.
        failed: called with each unreadable image and the reason; the others are measured.

    Returns:
        Rows in order; the peers of a stage follow it directly.

    Raises:
        ImageError: no image can be read.
    """
    start = time.perf_counter()
    images = list(_readable(paths, failed))
    rows = [StageRow("read", "facepipe", len(images) / (time.perf_counter() - start))]
    advance(len(paths))
    if not images:
        raise ImageError(f"{paths[0]}: none of {counted(len(paths), 'image')} can be read; name a folder of photos")
    detector = create_detector(settings, device)
    peers = _facenet(images, settings, device)
    detected, found = _in_turns("detect", "facepipe", detector, peers, images, advance)
    rows += detected
    crops, aligned = align_rows(embedder, images, [each for part in found for each in part])
    advance(len(images))
    straight = Embedder(embedder.model, "none", embedder.precision, embedder.batch_size)
    label = f"facepipe {embedder.precision}"
    embedded, _ = _in_turns("embed", label, straight, _plain(embedder), crops, advance)
    return rows + aligned + embedded + all_stages_rows(straight, detector, images, advance)


def _readable(paths: Sequence[Path], failed: Callable[[Path, str], None]) -> Iterator[np.ndarray]:
    for path in paths:
        try:
            yield read_rgb(path)
        except ImageError as error:
            failed(path, str(error).removeprefix(f"{path}: "))


def _facenet(images: list[np.ndarray], settings: DetectorSettings, device: str) -> dict[str, Peer]:
    one_size = len({image.shape for image in images}) == 1
    return {"facenet-pytorch": Peer(facenet_mtcnn, settings, device)} if one_size and has_facenet() else {}


def _plain(embedder: Embedder) -> dict[str, Peer]:
    """The same network in PyTorch's default layout; small batches fit a CPU's cache, large ones are customary."""
    if not isinstance(embedder.model.network, nn.Module):
        return {}
    sizes = (64, embedder.batch_size)
    return {f"plain float32, batch {size}": Peer(plain_forward, embedder.model, size) for size in sizes}

def _in_turns(
    stage: str, who: str, run: Callable[[Any], Any], peers: dict[str, Peer], items: Any, advance: Callable[[int], None]
) -> tuple[list[StageRow], list[Any]]:
    """Time all on the same parts in turns, after one part of warm-up; returns rows and facepipe's results."""
    run(items[:_PART])
    for peer in peers.values():
        peer(items[:_PART])
    spent, results = 0.0, []
    peer_spent = dict.fromkeys(peers, 0.0)
    for first in range(0, len(items), _PART):
        part = items[first : first + _PART]
        start = time.perf_counter()
        results.append(run(part))
        spent += time.perf_counter() - start
        for name, peer in peers.items():
            peer_spent[name] += peer(part)
        advance(len(part))
    for peer in peers.values():
        peer.close()
    rows = [StageRow(stage, who, len(items) / spent)]
    rows += [StageRow(stage, name, len(items) / seconds, seconds / spent) for name, seconds in peer_spent.items()]
    return rows, results
