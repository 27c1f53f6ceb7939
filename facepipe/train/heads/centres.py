"""The class centres that SCF measures faces by."""

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
    """Give the loss its centres, if it takes some; a resumed run has them in its checkpoint.

    Args:
        recipe: says where they come from.
        ready: loss, data and network.
        say: told of what takes long.

    Raises:
        RecipeError: the file of centres is of other classes.
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
    """The mean unit embedding of each identity's images as they are, float32 C×D; ranks share the work."""
    trainer = ready.trainer
    model = replace(as_model(trainer.net, recipe, trainer.ranks.device), head=None)
    embedder = Embedder(model, flip="none", precision=recipe.loop.precision)
    sums = np.zeros((len(ready.samples.identities), embedder.dim))
    for crops, labels in _batches(ready.crops, trainer.ranks.rank, trainer.ranks.count):
        np.add.at(sums, labels, unit(embedder(crops).mu))
    centres = torch.from_numpy(sums).to(trainer.ranks.device, torch.float32)
    return trainer.ranks.add_up(centres)


def _batches(crops: Crops, rank: int, ranks: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    mine = np.arange(rank, len(crops.samples), ranks)
    for first in range(0, len(mine), _BATCH):
        part = mine[first : first + _BATCH]
        yield crops.batch(part, np.zeros_like(part))


def read_centres(recipe: Recipe, samples: Samples) -> Tensor:
    """Class weights from the backbone's training, one row per identity of ``samples``, C×D.

    Rows are found by the names in ``identities.txt`` beside the file; where there is none, they must be as many as
    the identities, in their order.

    Raises:
        RecipeError: identities have no row, or the file holds no matrix of D columns, or several.
        ModelError: the file cannot be read.
    """
    path = centres_file(recipe)
    matrix = _matrix(path, recipe.model.embedding_dim)
    names_file = path.with_name(IDENTITIES)
    if not names_file.is_file():
        if len(matrix) != len(samples.identities):
            raise RecipeError(
                f"{path}: {len(matrix)} class centres for {len(samples.identities)} identities, and no "
                f"{IDENTITIES} beside it that names them; give the data they are of, or uncertainty.centres = 'means'"
            )
        return matrix
    row_of = {name: row for row, name in enumerate(names_file.read_text(encoding="utf-8").splitlines())}
    missing = [name for name in samples.identities if name not in row_of]
    if missing:
        raise RecipeError(
            f"{path}: no class centre for {len(missing)} of {len(samples.identities)} identities ({missing[0]}, ...); "
            "train on the data of the backbone, or with uncertainty.centres = 'means'"
        )
    return matrix[[row_of[name] for name in samples.identities]]


def centres_file(recipe: Recipe) -> Path:
    """Where the class weights of a recipe with centres = "checkpoint" are.

    Raises:
        RecipeError: there is no such file.
        ModelError: there is no such backbone.
    """
    settings = recipe.uncertainty
    own = settings.centres_file
    path = Path(own) if own else locate(settings.backbone)[1].with_name(CLASSES_FILE)
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
        raise RecipeError(f"{path}: holds {len(found)} matrices of {dim} columns; class centres are the only one")
    return found[0].float()


def _tensors(loaded: Any) -> Iterator[Tensor]:
    if isinstance(loaded, Tensor):
        yield loaded
    elif isinstance(loaded, dict):
        for value in loaded.values():
            yield from _tensors(value)
