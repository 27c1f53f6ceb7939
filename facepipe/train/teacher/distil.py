"""What a ``[teacher]`` adds to a run: unlabelled samples, targets for all samples, and the distillation loss."""

from dataclasses import replace

import numpy as np
import torch
from rich.console import Console

from facepipe import losses
from facepipe.datasets import Samples, add_unlabelled, hold_out_images, open_unlabelled, take
from facepipe.train.data.blends import blends
from facepipe.train.data.groups import has_age_and_sex
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.train.teacher.network import teacher_network
from facepipe.train.teacher.same_view import SameView
from facepipe.train.teacher.targets import Targets, teacher_targets
from facepipe.zoo import Model, load


def add_unlabelled_samples(recipe: Recipe, samples: Samples) -> Samples:
    """Append the unlabelled samples and blends of the recipe, which have only a teacher's targets.

    Raises:
        DatasetError: the unlabelled data are missing or malformed.
    """
    data = recipe.data
    if data.unlabelled:
        more, _ = hold_out_images(open_unlabelled(data.unlabelled, data.cut_shards), recipe.strangers.held_out)
        if not recipe.strangers.others:
            more = take(more, np.flatnonzero(has_age_and_sex(more)))
        samples = add_unlabelled(samples, more)
    if data.blends:
        samples = add_unlabelled(samples, blends(samples, round(data.blends * len(samples)), recipe.loop.seed))
    return samples


def recipe_targets(
    recipe: Recipe, samples: Samples, held_out: Samples | None, ranks: Ranks, console: Console | None
) -> Targets | None:
    """The targets of the recipe's teacher for all samples; None without a teacher.

    Raises:
        ModelError: the teacher does not exist, or its weights are missing.
        ImageError: the crops do not have the teacher's input size.
        RecipeError: its embeddings differ in length from the student's.
    """
    if not recipe.teacher.model:
        return None
    console = console or Console(stderr=True, quiet=True)
    held_out = held_out if recipe.evaluate.held_out else None  # only that evaluation needs its targets
    targets = teacher_targets(recipe.teacher, samples, held_out, recipe.data.fit, ranks, console)
    if targets.card.embedding.dim != recipe.model.embedding_dim:
        raise RecipeError(
            f"model.embedding_dim = {recipe.model.embedding_dim}: embeddings of teacher {targets.card.name} have "
            f"{targets.card.embedding.dim} dimensions; give the student as many"
        )
    return targets


def create_loss(
    recipe: Recipe, samples: Samples, targets: Targets | None, groups: np.ndarray | None, device: torch.device
) -> losses.Loss:
    """The loss of the recipe, as the identity term of a distillation loss if there is a teacher.

    Raises:
        ModelError: loss or option is unknown.
        RecipeError: the loss cannot be combined with a teacher, or a ``same_view`` teacher takes other crops.
    """
    loss, teacher = recipe.loss, recipe.teacher
    if targets is not None and not teacher.identity:
        return _distillation(recipe, samples, targets, groups, None, device)
    by_name = losses.create(loss.name, recipe.model.embedding_dim, len(samples.identities), **loss.options)
    if targets is None:
        return by_name
    identity = by_name.classification
    if identity is None:
        raise RecipeError(f"loss.name = {loss.name!r} has no class weights: it cannot be combined with a teacher")
    return _distillation(recipe, samples, targets, groups, identity, device)


def _same_view_teacher(recipe: Recipe, device: torch.device) -> Model:
    """The teacher; with ``teacher.initialise`` as a PyTorch network, which is faster than ONNX Runtime."""
    model = load(recipe.teacher.model, device)
    if not model.is_onnx or not recipe.teacher.initialise:
        return model
    # The graph normalises its input itself, the network does not.
    spec = replace(model.card.input, mean=recipe.model.mean, scale=recipe.model.scale)
    card = replace(model.card, input=spec)
    return replace(model, card=card, network=teacher_network(recipe, model).to(device))


def _distillation(
    recipe: Recipe,
    samples: Samples,
    targets: Targets,
    groups: np.ndarray | None,
    identity: losses.ClassificationLoss | None,
    device: torch.device,
) -> losses.Distillation:
    teacher = None
    if recipe.teacher.same_view:
        teacher = SameView(_same_view_teacher(recipe, device), recipe.model, torch.from_numpy(targets.mean))
    return losses.Distillation(
        torch.from_numpy(targets.training),
        torch.from_numpy(samples.labels),
        cosine=recipe.teacher.cosine,
        relational=recipe.teacher.relational,
        identity=identity,
        identity_weight=recipe.teacher.identity,
        teacher=teacher,
        strangers=None if groups is None else _strangers(recipe, groups),
    )


def _strangers(recipe: Recipe, groups: np.ndarray) -> losses.Strangers:
    section = recipe.strangers
    return losses.Strangers(torch.from_numpy(groups), section.weight, section.margin, section.scale, section.trust)
