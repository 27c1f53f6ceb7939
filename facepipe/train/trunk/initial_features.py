"""The embeddings of the initial student, computed from cached maps: the targets of a run with frozen layers."""

import copy
import hashlib
from pathlib import Path

import numpy as np
import torch

from facepipe.embedding.fold import fold_batch_norm
from facepipe.files.writing import replacing
from facepipe.score import unit
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.recipe.schema import Recipe
from facepipe.train.trunk.cut import Upper, as_map
from facepipe.train.trunk.kept_maps import MIRRORED, STRAIGHT, KeptMaps
from facepipe.zoo.headed import Trainable

_BATCH = 256


def stored_features(recipe: Recipe, kept: KeptMaps, net: Trainable, ranks: Ranks) -> np.ndarray:
    """`initial_features`, stored next to the maps, since above a deep cut they take minutes.

    Raises:
        OSError: the folder cannot be written.
    """
    weights = hashlib.sha256(b"".join(tensor.cpu().numpy().tobytes() for tensor in net.state_dict().values()))
    file = kept.folder / f"features-{weights.hexdigest()[:24]}.npy"
    stored = _read(file, (kept.count, recipe.model.embedding_dim))
    missing = ranks.any(stored is None)  # on a rank of another machine, perhaps
    if stored is not None and not missing:
        return stored
    features = initial_features(recipe, kept, net, ranks.device)
    if ranks.local_rank == 0:
        with replacing(file) as temporary, temporary.open("wb") as out:
            np.save(out, features)
    return features


def _read(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The stored array; None if there is none, or a damaged one."""
    try:
        stored = np.asarray(np.load(file))
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return stored if stored.shape == shape else None


@torch.inference_mode()
def initial_features(recipe: Recipe, kept: KeptMaps, net: Trainable, device: torch.device) -> np.ndarray:
    """Embeddings of the initial student, of crop and mirror image: unit sums, float32 N×D; 0 if unreadable.

    A student of the teacher's full width starts as the teacher, so the teacher itself need not run.
    """
    above = Upper(fold_batch_norm(copy.deepcopy(net).eval()), recipe.freeze.until).to(device)
    features = np.zeros((kept.count, recipe.model.embedding_dim), np.float32)
    for first in range(0, kept.count, _BATCH):
        part = np.arange(first, min(first + _BATCH, kept.count))
        views = [kept.batch(part, np.full_like(part, view)) for view in (STRAIGHT, MIRRORED)]
        embedded = [unit(above(as_map(maps).to(device)).cpu().numpy()) for maps in views]
        features[part] = unit(np.sum(embedded, axis=0))
    features[kept.unreadable()] = 0
    return features
