"""Cache the feature maps of a recipe's frozen layers, and derive the targets from the initial student."""

import hashlib
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn

from facepipe.errors import MissingExtraError
from facepipe.train.data.crops import Crops
from facepipe.train.data.loader import to_network
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.progress import notify
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.train.teacher.first_weights import begin_as_teacher
from facepipe.train.teacher.targets import Targets, centred, mean_direction
from facepipe.train.trunk.cut import lower
from facepipe.train.trunk.initial_features import stored_features
from facepipe.train.trunk.kept_maps import KeptMaps, Run, cache_name, compute_maps
from facepipe.zoo import cache_folder, locate
from facepipe.zoo.headed import Trainable
from facepipe.zoo.onnx_layers import OnnxLayers

_AT_ONCE = 8  # crops whose widest maps fit in the processor's cache
_NOTIFY_EVERY = 20.0
_TOLERANCE = 0.01  # rounding error of a map, relative to its largest value


def on_kept_maps(
    recipe: Recipe, crops: Crops, net: Trainable, ranks: Ranks, console: Console
) -> tuple[KeptMaps, Targets]:
    """The inputs and targets of a run with frozen layers; ``net`` gets the teacher's weights.

    Raises:
        RecipeError, ModelError: the student cannot be initialised from the teacher, or cannot be split there.
        TrainingError: the maps cannot be written.
    """

    def say(line: str) -> None:
        notify(console, line)

    if not begin_as_teacher(recipe, net, crops, ranks, say):
        raise RecipeError(
            f"freeze.until = {recipe.freeze.until!r}: the student is narrower than {recipe.teacher.model}, so its "
            "initial embeddings are no targets; leave model.options out, or freeze nothing"
        )
    kept = keep_maps(recipe, crops, net, ranks, _Progress(say))
    features = stored_features(recipe, kept, net, ranks)
    mean = mean_direction(features) if recipe.teacher.centre else np.zeros(features.shape[1])
    card, _ = locate(recipe.teacher.model)
    return kept, Targets(centred(features, mean), None, mean.astype(np.float32), card)


class _Progress:
    """Prints a line every ``_NOTIFY_EVERY`` seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._began, self._last = say, time.monotonic(), time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last > _NOTIFY_EVERY or done == total:
            self._last = now
            self._say(f"frozen layers: {done:,} of {total:,} views, {done / max(now - self._began, 1e-9):.0f}/s")


def keep_maps(
    recipe: Recipe, crops: Crops, net: Trainable, ranks: Ranks, progress: Callable[[int, int], None]
) -> KeptMaps:
    """The maps of all crops after ``freeze.until``; the ranks of a machine share the missing ones.

    Args:
        recipe: with ``[freeze]``.
        crops: the samples.
        net: the initial student, on the CPU.
        ranks: the processes. Where machines share the folder, the first computes all maps; otherwise each its own.
        progress: called with maps done and maps missing at the start.

    Raises:
        ModelError: the network cannot be split there.
        TrainingError: the disk is full or not writable.
    """
    below = lower(net, recipe.freeze.until)
    layers = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in below.state_dict().values())).digest()
    root = Path(recipe.freeze.cache) if recipe.freeze.cache else cache_folder() / "maps"
    folder = root / cache_name(crops.samples, recipe.augment, crops.seed, layers)
    run = _runner(recipe, below.to(ranks.device), crops, ranks.device)
    shape = run(crops.numbered(np.zeros(1, np.int64), np.zeros(1, np.int64))[0]).shape[1:]
    first_machine = ranks.rank < ranks.local_count
    try:
        for turn in (True, False) if ranks.count > ranks.local_count else (True,):
            if turn == first_machine and ranks.local_rank == 0:
                _require_room(folder, len(crops.samples) * recipe.freeze.views * 2 * math.prod(shape))
                _open(folder, crops, recipe, shape)  # creates the files for the other ranks of this machine
            ranks.barrier()
            if turn == first_machine:
                kept = _open(folder, crops, recipe, shape)
                compute_maps(kept, crops, recipe.augment, run, progress, ranks.local_rank, ranks.local_count)
            ranks.barrier()
        return _open(folder, crops, recipe, shape)
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"{folder}: cannot be written ({reason}); make room or choose freeze.cache") from error


def _require_room(folder: Path, size: int) -> None:
    """Refuse to start without enough disk space: writing to a memory-mapped file on a full disk kills the process."""
    existing = sum(path.stat().st_blocks * 512 for path in folder.glob("view-*.npy"))
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size - existing > free:
        raise TrainingError(
            f"{folder}: the maps of frozen layers take {size / 1e9:.1f} GB, {(free + existing) / 1e9:.1f} GB are free; "
            "make room, choose freeze.cache, or lower freeze.views or data.max_images"
        )


def _open(folder: Path, crops: Crops, recipe: Recipe, shape: tuple[int, ...]) -> KeptMaps:
    height, width, channels = shape
    return KeptMaps(folder, len(crops.samples), recipe.freeze.views, (height, width, channels))


def _runner(recipe: Recipe, below: nn.Module, crops: Crops, device: torch.device) -> Run:
    model = recipe.model
    below = below.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def by_torch(pixels: np.ndarray) -> np.ndarray:
        parts = np.split(pixels, range(_AT_ONCE, len(pixels), _AT_ONCE))
        maps = [below(to_network(part, device, model.mean, model.scale, model.channels)) for part in parts]
        return torch.cat(maps).permute(0, 2, 3, 1).cpu().numpy()

    by_onnx = _onnx_runner(recipe, device)
    if by_onnx is None:
        return by_torch
    crop = crops.numbered(np.arange(1), np.zeros(1, np.int64))[0]
    torch_map, onnx_map = by_torch(crop), by_onnx(crop)
    same_shape = torch_map.shape == onnx_map.shape
    agree = same_shape and np.abs(torch_map - onnx_map).max() < _TOLERANCE * np.abs(torch_map).max()
    return by_onnx if agree else by_torch


def _onnx_runner(recipe: Recipe, device: torch.device) -> Run | None:
    """Run the teacher's ONNX graph, if it is one and ONNX Runtime is installed."""
    card, weights = locate(recipe.teacher.model)
    if card.weights.format != "onnx" or device.type != "cpu":
        return None
    prelus = 1 + 2 * int(recipe.freeze.until.split(".")[1]) + 1 if "." in recipe.freeze.until else 1
    prelus += recipe.freeze.until.endswith("pointwise")
    try:
        layers = OnnxLayers(weights, prelus, torch.get_num_threads())
    except MissingExtraError:
        return None

    def run(pixels: np.ndarray) -> np.ndarray:
        parts = np.split(pixels, range(_AT_ONCE, len(pixels), _AT_ONCE))
        spec = card.input
        crops = [to_network(part, device, spec.mean, spec.scale, spec.channels).contiguous() for part in parts]
        return np.concatenate([layers(part.numpy()) for part in crops]).transpose(0, 2, 3, 1)

    return run
