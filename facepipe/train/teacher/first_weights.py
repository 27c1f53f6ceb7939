"""The first weights of a student that begins as its teacher."""

from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from facepipe.backbones import Backbone
from facepipe.score import unit
from facepipe.train.data.crops import Crops
from facepipe.train.data.loader import to_network
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.train.teacher.network import teacher_network
from facepipe.zoo import Model, load
from facepipe.zoo.headed import Trainable

_BATCH = 32
_LEAST_COSINE = 0.999
"""Between the teacher and its weights in a network of ours: rounding leaves 1 − 1e-6."""


def begin_as_teacher(
    recipe: Recipe, student: Trainable, crops: Crops, ranks: Ranks, say: Callable[[str], None]
) -> bool:
    """Give the student the teacher's weights, narrowed where it has fewer channels, if ``teacher.begin`` asks for it.

    Returns:
        whether the student is the teacher now, with nothing left out.

    Args:
        recipe: says who the teacher is and how crops are fed to the student.
        student: changed in place.
        crops: on some of which a narrower student is refitted.
        ranks: the processes, which all begin with the weights of the first.
        say: told of what takes long.

    Raises:
        RecipeError: the student's network, size or normalisation is another than the teacher's.
        ModelError: the teacher's weights are not those of such a network.
    """
    settings = recipe.teacher
    if not settings.model or not settings.begin:
        return False
    narrower, _ = student.parts()
    if not narrower.narrows or narrower is not student:
        raise RecipeError(f"teacher.begin = true narrows a mobilenet, not {recipe.model.backbone}; set it to false")
    model = load(settings.model)
    teacher = teacher_network(recipe, model)
    _check(model, teacher, recipe, crops)
    whole = _shapes(student) == _shapes(teacher)
    if whole:
        say(f"the student begins as {settings.model}")
        student.load_state_dict(teacher.state_dict())
    else:
        say(f"the student begins as {settings.model}, narrowed on {settings.begin_crops} crops")
        batches = _batches(recipe, crops, settings.begin_crops)
        narrower.narrow_from(teacher.to(ranks.device), [batch.to(ranks.device) for batch in batches])
    if ranks.count > 1:
        for tensor in student.state_dict().values():
            dist.broadcast(tensor, 0)
    return whole


def _shapes(net: Trainable) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in net.state_dict().items()}


@torch.inference_mode()
def _check(model: Model, network: Backbone, recipe: Recipe, crops: Crops) -> None:
    """The graph may normalise pixels itself, so the student's numbers must say the same."""
    ours = recipe.model
    images = crops.batch(np.arange(min(4, len(crops.samples))), np.zeros(min(4, len(crops.samples)), np.int64))[0]
    card = model.card.input
    if card.channels != ours.channels:
        raise RecipeError(f"model.channels = {ours.channels!r}: begin as {model.card.name} with {card.channels!r}")
    message = _unit(model.network, to_network(images, torch.device("cpu"), card.mean, card.scale, card.channels))
    seen = _unit(network, to_network(images, torch.device("cpu"), ours.mean, ours.scale, ours.channels))
    cosine = float((message * seen).sum(1).min())
    if cosine < _LEAST_COSINE:
        raise RecipeError(
            f"model.mean = {ours.mean}, model.scale = {ours.scale}: with these, the weights of {model.card.name} do "
            f"not give its embeddings (cosine {cosine:.3f}); give the values by which it was trained"
        )


def _unit(network: Callable[[Tensor], Tensor], x: Tensor) -> np.ndarray:
    return np.asarray(unit(network(x).float().numpy()))


def _batches(recipe: Recipe, crops: Crops, count: int) -> list[Tensor]:
    model = recipe.model
    chosen = np.random.default_rng(recipe.loop.seed).permutation(len(crops.samples))[:count]
    cpu = torch.device("cpu")
    return [
        to_network(crops.batch(part, np.zeros_like(part))[0], cpu, model.mean, model.scale, model.channels)
        for part in np.array_split(chosen, max(1, -(-len(chosen) // _BATCH)))
    ]
