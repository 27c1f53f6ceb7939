"""Timing the stages in turns with their peers, so that a busy moment of the machine hits both."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.align import Aligner
from facepipe.bench.peers import facenet_mtcnn, plain_forward
from facepipe.detect import Detector, Faces, Settings, choose
from facepipe.embed import Embedder
from facepipe.images import read_rgb

_PART = 64


@dataclass(frozen=True)
class Row:
    """One stage: its throughput, and how many times that of ``against`` it is (None: it is the yardstick)."""

    stage: str
    who: str
    per_second: float
    times_peer: float | None = None


def bench(
    paths: Sequence[Path],
    embedder: Embedder,
    settings: Settings,
    device: str,
    advance: Callable[[int], None] = lambda _count: None,
) -> list[Row]:
    """Measure reading, detection, alignment and embedding over the given images.

    Args:
        paths: of images; peers need them in one size per 32, as LFW's are.
        embedder: with the model to measure.
        settings: of the detector and of its peer.
        device: for both.
        advance: called with the number of images that a step finished, over four stages.

    Returns:
        Rows in order; a stage's peer comes right after it.
    """
    start = time.perf_counter()
    images = [read_rgb(path) for path in paths]
    rows = [Row("read", "facepipe", len(images) / (time.perf_counter() - start))]
    advance(len(images))
    detector = Detector(settings, device)
    peer = _peer_for(images, settings, device)
    detected, found = _in_turns("detect", detector, peer, images, "facenet-pytorch", advance)
    rows += detected
    faces = [each for part in found for each in part]
    start = time.perf_counter()
    crops = _crops(Aligner(embedder.model.card.input.template), images, faces)
    rows.append(Row("align", "facepipe", len(images) / (time.perf_counter() - start)))
    advance(len(images))
    straight = Embedder(embedder.model, "none", _precision(embedder), embedder.batch_size)
    ours = f"facepipe {_precision(embedder)}"
    plain = plain_forward(embedder.model, embedder.batch_size)
    embedded, _ = _in_turns("embed", straight, plain, crops, "plain float32", advance, ours)
    return rows + embedded


def _peer_for(images: list[np.ndarray], settings: Settings, device: str) -> Callable[[Any], Any] | None:
    one_size = len({image.shape for image in images}) == 1
    return facenet_mtcnn(settings, device) if one_size else None


def _precision(embedder: Embedder) -> str:
    return str(embedder.dtype).removeprefix("torch.")


def _in_turns(
    stage: str,
    ours: Callable[[Any], Any],
    peer: Callable[[Any], Any] | None,
    items: Any,
    peer_name: str,
    advance: Callable[[int], None],
    our_name: str = "facepipe",
) -> tuple[list[Row], list[Any]]:
    """Both over the same parts, first one, then the other, after a part to warm up; and our results."""
    for each in (ours, peer):
        if each is not None:
            each(items[:_PART])
    spent, peer_spent, results = 0.0, 0.0, []
    for first in range(0, len(items), _PART):
        part = items[first : first + _PART]
        start = time.perf_counter()
        results.append(ours(part))
        spent += time.perf_counter() - start
        if peer is not None:
            start = time.perf_counter()
            peer(part)
            peer_spent += time.perf_counter() - start
        advance(len(part))
    rows = [Row(stage, our_name, len(items) / spent, peer_spent / spent if peer else None)]
    if peer is not None:
        rows.append(Row(stage, peer_name, len(items) / peer_spent))
    return rows, results


def _crops(aligner: Aligner, images: list[np.ndarray], faces: list[Faces]) -> np.ndarray:
    crops = []
    for image, found in zip(images, faces, strict=True):
        chosen = choose(found, "centre", (image.shape[0], image.shape[1]))
        crops.append(aligner(image, found.pixel_landmarks[chosen[0]]) if len(chosen) else aligner.centre(image))
    return np.stack(crops)
