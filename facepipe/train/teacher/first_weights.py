"""Initialisation of a student with its teacher's weights."""

from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from facepipe.backbones import Backbone
from facepipe.score import unit
from facepipe.tables import counted
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
"""Minimum cosine between the teacher's embedding and that of its weights in our network; rounding leaves 1 − 1e-6."""


def begin_as_teacher(
    recipe: Recipe, student: Trainable, crops: Crops, ranks: Ranks, say: Callable[[str], None]
) -> bool:
    """With ``teacher.initialise``, give the student the teacher's weights, pruned if it has fewer channels.

    Args:
        recipe: the teacher, and the student's input format.
        student: changed in place.
        crops: some of them are used to refit a narrower student.
        ranks: the processes; all get the weights of the first.
        say: called with a line before slow work.

    Returns:
        whether the student now equals the teacher, nothing pruned.

    Raises:
        RecipeError: the student's network, input size or normalisation differs from the teacher's.
        ModelError: the teacher's weights do not belong to such a network.
    """
    settings = recipe.teacher
    if not settings.model or not settings.initialise:
        return False
    narrower, _ = student.parts()
    if not narrower.narrows or narrower is not student:
        raise RecipeError(f"teacher.initialise = true needs a mobilenet, not {recipe.model.backbone}; set it to false")
    model = load(settings.model)
    teacher = teacher_network(recipe, model)
    _check(model, teacher, recipe, crops)
    whole = _shapes(student) == _shapes(teacher)
    if whole:
        say(f"the student starts with the weights of {settings.model}")
        student.load_state_dict(teacher.state_dict())
    else:
        some = counted(settings.initialise_crops, "crop")
        say(f"the student starts with the weights of {settings.model}, narrowed on {some}")
        batches = _batches(recipe, crops, settings.initialise_crops)
        narrower.narrow_from(teacher.to(ranks.device), [batch.to(ranks.device) for batch in batches])
    if ranks.count > 1:
        for tensor in student.state_dict().values():
            dist.broadcast(tensor, 0)
    return whole


def _shapes(net: Trainable) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in net.state_dict().items()}


@torch.inference_mode()
def _check(model: Model, network: Backbone, recipe: Recipe, crops: Crops) -> None:
    """The graph may normalise pixels itself, so the student's mean and scale must be equivalent."""
    student = recipe.model
    images = crops.batch(np.arange(min(4, len(crops.samples))), np.zeros(min(4, len(crops.samples)), np.int64))[0]
    card = model.card.input
    if card.channels != student.channels:
        raise RecipeError(
            f"model.channels = {student.channels!r}: the input of {model.card.name} is {card.channels!r}; set that"
        )
    cpu = torch.device("cpu")
    expected = _unit(model.network, to_network(images, cpu, card.mean, card.scale, card.channels))
    obtained = _unit(network, to_network(images, cpu, student.mean, student.scale, student.channels))
    cosine = float((expected * obtained).sum(1).min())
    if cosine < _LEAST_COSINE:
        raise RecipeError(
            f"model.mean = {student.mean}, model.scale = {student.scale}: with these, the weights of {model.card.name} "
            f"do not reproduce its embeddings (cosine {cosine:.3f}); set the values it was trained with"
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
