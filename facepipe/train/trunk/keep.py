"""Keeping the maps of a recipe's frozen layers, and what the student as it begins says of them."""

import copy
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

from facepipe.embedding.fold import fold_batch_norm
from facepipe.errors import MissingExtraError
from facepipe.score import unit
from facepipe.train.data.crops import Crops
from facepipe.train.data.loader import to_network
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.notes import tell
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.train.teacher.first_weights import begin_as_teacher
from facepipe.train.teacher.targets import Targets, centred, mean_direction
from facepipe.train.trunk.cut import Upper, as_map, lower
from facepipe.train.trunk.kept_maps import MIRRORED, STRAIGHT, KeptMaps, Run, fill_maps, name_of
from facepipe.zoo import cache_folder, locate
from facepipe.zoo.headed import Trainable
from facepipe.zoo.onnx_layers import OnnxLayers

_BATCH = 256
_AT_ONCE = 8  # crops whose widest maps stay in a processor's cache
_SAY_EVERY = 20.0
_CLOSE = 0.01  # share of the largest value by which rounding may change a map


def on_kept_maps(
    recipe: Recipe, crops: Crops, net: Trainable, ranks: Ranks, console: Console
) -> tuple[KeptMaps, Targets]:
    """What a run with frozen layers trains on, and what it aims at; ``net`` becomes the teacher.

    Raises:
        RecipeError, ModelError: the student cannot begin as the teacher, or not be cut there.
        TrainingError: the maps cannot be written.
    """

    def say(line: str) -> None:
        tell(console, line)

    if not begin_as_teacher(recipe, net, crops, ranks, say):
        raise RecipeError(
            f"freeze.until = {recipe.freeze.until!r}: the student is narrower than {recipe.teacher.model}, so what it "
            "says as it begins is nothing to aim at; leave model.options out, or freeze nothing"
        )
    kept = keep_maps(recipe, crops, net, ranks, _Progress(say))
    message = begun_targets(recipe, kept, net, ranks.device)
    mean = mean_direction(message) if recipe.teacher.centre else np.zeros(message.shape[1])
    card, _ = locate(recipe.teacher.model)
    return kept, Targets(centred(message, mean), None, mean.astype(np.float32), card)


class _Progress:
    """A line now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._began, self._said = say, time.monotonic(), time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said > _SAY_EVERY or done == total:
            self._said = now
            self._say(f"frozen layers: {done:,} of {total:,} views, {done / max(now - self._began, 1e-9):.0f}/s")


def keep_maps(
    recipe: Recipe, crops: Crops, net: Trainable, ranks: Ranks, message: Callable[[int, int], None]
) -> KeptMaps:
    """The maps of all crops behind ``freeze.until``; the ranks of a machine share what is missing.

    Args:
        recipe: with ``[freeze]``.
        crops: the samples.
        net: the student as it begins, on the CPU.
        ranks: the processes. Machines with a common folder leave it to the first; others each compute their own.
        message: of the progress.

    Raises:
        ModelError: the network cannot be cut there.
        TrainingError: the disk is full or cannot be written.
    """
    below = lower(net, recipe.freeze.until)
    layers = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in below.state_dict().values())).digest()
    root = Path(recipe.freeze.cache) if recipe.freeze.cache else cache_folder() / "maps"
    folder = root / name_of(crops.samples, recipe.augment, crops.seed, layers)
    run = _runner(recipe, below.to(ranks.device), crops, ranks.device)
    shape = run(crops.numbered(np.zeros(1, np.int64), np.zeros(1, np.int64))[0]).shape[1:]
    first_machine = ranks.rank < ranks.local_count
    try:
        for turn in (True, False) if ranks.count > ranks.local_count else (True,):
            if turn == first_machine and ranks.local_rank == 0:
                _require_room(folder, len(crops.samples) * recipe.freeze.views * 2 * math.prod(shape))
                _open(folder, crops, recipe, shape)  # makes the files, which the others of this machine find
            ranks.barrier()
            if turn == first_machine:
                kept = _open(folder, crops, recipe, shape)
                fill_maps(kept, crops, recipe.augment, run, message, ranks.local_rank, ranks.local_count)
            ranks.barrier()
        return _open(folder, crops, recipe, shape)
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"{folder}: cannot be written ({reason}); make room or choose freeze.cache") from error


def _require_room(folder: Path, size: int) -> None:
    """Refuse to begin what would not fit: a write into a mapped file that finds the disk full ends the process."""
    there = sum(path.stat().st_blocks * 512 for path in folder.glob("*.npy"))
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size - there > free:
        raise TrainingError(
            f"{folder}: the maps of frozen layers take {size / 1e9:.1f} GB, {(free + there) / 1e9:.1f} are free; make "
            "room, choose freeze.cache, or lower freeze.views or data.max_images"
        )


def _open(folder: Path, crops: Crops, recipe: Recipe, shape: tuple[int, ...]) -> KeptMaps:
    height, width, channels = shape
    return KeptMaps(folder, len(crops.samples), recipe.freeze.views, (height, width, channels))


@torch.inference_mode()
def begun_targets(recipe: Recipe, kept: KeptMaps, net: Trainable, device: torch.device) -> np.ndarray:
    """What the student as it begins says of each crop and its mirror image: unit sums, float32 N×D; 0 if unreadable.

    A student that begins as its teacher at the teacher's full width says what the teacher says, so nobody has to ask.
    """
    above = Upper(fold_batch_norm(copy.deepcopy(net).eval()), recipe.freeze.until).to(device)
    targets = np.zeros((kept.count, recipe.model.embedding_dim), np.float32)
    for first in range(0, kept.count, _BATCH):
        part = np.arange(first, min(first + _BATCH, kept.count))
        views = [kept.batch(part, np.full_like(part, view)) for view in (STRAIGHT, MIRRORED)]
        message = [unit(above(as_map(maps).to(device)).cpu().numpy()) for maps in views]
        targets[part] = unit(np.sum(message, axis=0))
    targets[kept.unreadable()] = 0
    return targets


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
    some = crops.numbered(np.arange(1), np.zeros(1, np.int64))[0]
    ours, theirs = by_torch(some), by_onnx(some)
    same = ours.shape == theirs.shape and np.abs(ours - theirs).max() < _CLOSE * np.abs(ours).max()
    return by_onnx if same else by_torch


def _onnx_runner(recipe: Recipe, device: torch.device) -> Run | None:
    """The teacher's graph, if it is one and ONNX Runtime is at hand."""
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
        taken = card.input
        crops = [to_network(part, device, taken.mean, taken.scale, taken.channels).contiguous() for part in parts]
        return np.concatenate([layers(part.numpy()) for part in crops]).transpose(0, 2, 3, 1)

    return run
