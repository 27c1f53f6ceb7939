"""Class centres for SCF."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facepipe.datasets import Samples
from facepipe.embedding import Embedder
from facepipe.score import unit
from facepipe.train.data.crops import Crops
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import as_model
from facepipe.train.run.folder import CLASSES_FILE, IDENTITIES
from facepipe.train.run.prepare import Prepared
from facepipe.zoo import locate
from facepipe.zoo.checkpoint import read_checkpoint

_BATCH = 256


def set_centres(recipe: Recipe, ready: Prepared, say: Callable[[str], None]) -> None:
    """Set the class centres of a loss that needs them; a resumed run has them in its checkpoint.

    Args:
        recipe: the source of the centres.
        ready: loss, data and network.
        say: called with a line before slow work.

    Raises:
        RecipeError: the centres file belongs to other classes.
        ModelError: it cannot be read.
    """
    loss = ready.trainer.loss
    if not loss.takes_centres:
        return
    if recipe.uncertainty.centres == "checkpoint":
        loss.set_centres(read_centres(recipe, ready.samples))
        return
    say(f"class centres: mean embeddings of {len(ready.samples):,} images")
    loss.set_centres(mean_centres(recipe, ready))


def mean_centres(recipe: Recipe, ready: Prepared) -> Tensor:
    """The mean unit embedding of each identity's images, without flipping, float32 C×D; ranks share the work."""
    trainer = ready.trainer
    model = replace(as_model(trainer.net, recipe, trainer.ranks.device), head=None)
    embedder = Embedder(model, flip="none", precision=recipe.loop.precision)
    sums = np.zeros((len(ready.samples.identities), embedder.dim))
    for crops, labels in _batches(ready.crops, trainer.ranks.rank, trainer.ranks.count):
        np.add.at(sums, labels, unit(embedder(crops).mu))
    centres = torch.from_numpy(sums).to(trainer.ranks.device, torch.float32)
    return trainer.ranks.add_up(centres)


def _batches(crops: Crops, rank: int, ranks: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    indices = np.arange(rank, len(crops.samples), ranks)
    for first in range(0, len(indices), _BATCH):
        part = indices[first : first + _BATCH]
        yield crops.batch(part, np.zeros_like(part))


def read_centres(recipe: Recipe, samples: Samples) -> Tensor:
    """Class weights of the backbone's training, one row per identity of ``samples``, C×D.

    Rows are matched by the names in ``identities.txt`` in the same folder; without it, there must be exactly one row
    per identity, in the same order.

    Raises:
        RecipeError: an identity has no row, or the file does not hold exactly one matrix of D columns.
        ModelError: the file cannot be read.
    """
    path = centres_file(recipe)
    matrix = _matrix(path, recipe.model.embedding_dim)
    names_file = path.with_name(IDENTITIES)
    if not names_file.is_file():
        if len(matrix) != len(samples.identities):
            raise RecipeError(
                f"{path}: {len(matrix)} class centres for {len(samples.identities)} identities, and no {IDENTITIES} "
                "next to it to match them by; use the backbone's training data, or uncertainty.centres = 'means'"
            )
        return matrix
    row_of = {name: row for row, name in enumerate(names_file.read_text(encoding="utf-8").splitlines())}
    missing = [name for name in samples.identities if name not in row_of]
    if missing:
        raise RecipeError(
            f"{path}: no class centre for {len(missing)} of {len(samples.identities)} identities ({missing[0]}, ...); "
            "use the backbone's training data, or uncertainty.centres = 'means'"
        )
    return matrix[[row_of[name] for name in samples.identities]]


def centres_file(recipe: Recipe) -> Path:
    """The file of class weights of a recipe with centres = "checkpoint".

    Raises:
        RecipeError: the file does not exist.
        ModelError: the backbone does not exist.
    """
    settings = recipe.uncertainty
    given = settings.centres_file
    path = Path(given) if given else locate(settings.backbone)[1].with_name(CLASSES_FILE)
    if not path.is_file():
        raise RecipeError(
            f"{path}: no such file of class centres; name one with uncertainty.centres_file, or use "
            "uncertainty.centres = 'means'"
        )
    return path


def _matrix(path: Path, dim: int) -> Tensor:
    loaded = read_checkpoint(path, "safetensors" if path.suffix == ".safetensors" else "torch")
    found = [tensor for tensor in _tensors(loaded) if tensor.ndim == 2 and tensor.shape[1] == dim]
    if len(found) != 1:
        raise RecipeError(f"{path}: holds {len(found)} matrices of {dim} columns; it must hold one, the class centres")
    return found[0].float()


def _tensors(loaded: Any) -> Iterator[Tensor]:
    if isinstance(loaded, Tensor):
        yield loaded
    elif isinstance(loaded, dict):
        for value in loaded.values():
            yield from _tensors(value)
