"""Timing both warps, the host's and the device's: alone, and within the way from decoded photos to embeddings."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.alignment import Aligner
from facepipe.alignment.device_aligner import DeviceAligner
from facepipe.bench.row import StageRow
from facepipe.detection import Detector, Faces, choose
from facepipe.embedding import Embedder
from facepipe.embedding.aligning import WARPS, aligner_of
from facepipe.pipeline import STEP, Cropper, ReadImage, embed_batch

_NAMES = {"host": "facepipe", "device": "facepipe, warp on the device"}


def align_rows(
    embedder: Embedder, images: Sequence[np.ndarray], faces: Sequence[Faces]
) -> tuple[np.ndarray, list[StageRow]]:
    """The host's crops, and the throughput of both warps; for the device's, photos were uploaded before.

    Args:
        embedder: whose crops are cut.
        images: uint8 H×W×3.
        faces: of each image.
    """
    host, device = aligner_of(embedder), aligner_of(embedder, "device")
    assert isinstance(device, DeviceAligner)
    cut: list[np.ndarray] = []
    spent = dict.fromkeys(WARPS, 0.0)
    for first in range(0, len(images), STEP):
        part = images[first : first + STEP], faces[first : first + STEP]
        start = time.perf_counter()
        cut.append(_crops(host, *part))
        spent["host"] += time.perf_counter() - start
        if not first:
            _crops(device, *part)
        device.tables.upload(part[0])
        start = time.perf_counter()
        _crops(device, *part).cpu()
        spent["device"] += time.perf_counter() - start
    return np.concatenate(cut), _rows("align", len(images), spent)


def all_stages_rows(
    embedder: Embedder, detector: Detector, images: Sequence[np.ndarray], advance: Callable[[int], None]
) -> list[StageRow]:
    """The throughput from decoded photos to embeddings with both warps, which take turns.

    Args:
        embedder, detector: see `facepipe.embedding.aligning.aligner_of`.
        images: uint8 H×W×3.
        advance: called with the number of images finished, over two stages.
    """
    croppers = {warp: Cropper(aligner_of(embedder, warp, detector), detector, "centre", "centre") for warp in WARPS}
    spent = dict.fromkeys(WARPS, 0.0)
    for first in range(0, len(images), STEP):
        for warp, cropper in croppers.items():
            # Copies, as from a file: tables of the same array would be found again.
            part = [ReadImage(Path(), image.copy()) for image in images[first : first + STEP]]
            start = time.perf_counter()
            embed_batch(part, cropper, embedder)
            spent[warp] += time.perf_counter() - start
            advance(len(part))
    return _rows("detect, align, embed", len(images), spent)


def _rows(stage: str, count: int, spent: dict[str, float]) -> list[StageRow]:
    return [StageRow(stage, _NAMES[warp], count / seconds) for warp, seconds in spent.items()]


def _crops(aligner: Aligner, images: Sequence[np.ndarray], faces: Sequence[Faces]) -> Any:
    crops = []
    for image, found in zip(images, faces, strict=True):
        chosen = choose(found, "centre", (image.shape[0], image.shape[1]))
        crops.append(aligner.cut(image, found.landmarks[chosen[0]]) if len(chosen) else aligner.centre(image))
    return aligner.stack(crops)
