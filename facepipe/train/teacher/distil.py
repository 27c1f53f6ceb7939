"""What a recipe with a ``[teacher]`` adds to a run: more samples, targets for all of them, and its loss."""

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


def with_more(recipe: Recipe, samples: Samples) -> Samples:
    """The samples and, after them, those that only a teacher knows something of.

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


def ask_teacher(
    recipe: Recipe, samples: Samples, held_out: Samples | None, ranks: Ranks, console: Console | None
) -> Targets | None:
    """What the recipe's teacher says of all samples; None where it has no teacher.

    Raises:
        ModelError: there is no such teacher, or its weights are not at hand.
        ImageError: the crops have not the size that it takes.
        RecipeError: its embeddings are of another length than the student's.
    """
    if not recipe.teacher.model:
        return None
    console = console or Console(stderr=True, quiet=True)
    held_out = held_out if recipe.evaluate.held_out else None  # nobody else looks at its targets
    targets = teacher_targets(recipe.teacher, samples, held_out, recipe.data.fit, ranks, console)
    if targets.card.embedding.dim != recipe.model.embedding_dim:
        raise RecipeError(
            f"model.embedding_dim = {recipe.model.embedding_dim}: teacher {targets.card.name} embeds in "
            f"{targets.card.embedding.dim} numbers; give the student as many"
        )
    return targets


def create_loss(
    recipe: Recipe, samples: Samples, targets: Targets | None, groups: np.ndarray | None, device: torch.device
) -> losses.Loss:
    """The loss of the recipe, around which the teacher's is put where there is one.

    Raises:
        ModelError: loss or option is unknown.
        RecipeError: the loss cannot be the identity term beside a teacher, or a teacher that looks at the student's
            crops takes others.
    """
    loss, teacher = recipe.loss, recipe.teacher
    if targets is not None and not teacher.identity:
        return _distillation(recipe, samples, targets, groups, None, device)
    by_name = losses.create(loss.name, recipe.model.embedding_dim, len(samples.identities), **loss.options)
    if targets is None:
        return by_name
    identity = by_name.classification
    if identity is None:
        raise RecipeError(f"loss.name = {loss.name!r} has no class weights: it cannot stand beside a teacher")
    return _distillation(recipe, samples, targets, groups, identity, device)


def _asked(recipe: Recipe, device: torch.device) -> Model:
    """The teacher; as a network of ours, which is faster than ONNX Runtime, where the student begins as it."""
    model = load(recipe.teacher.model, device)
    if not model.is_onnx or not recipe.teacher.begin:
        return model
    # The graph did that itself.
    taken = replace(model.card.input, mean=recipe.model.mean, scale=recipe.model.scale)
    card = replace(model.card, input=taken)
    return replace(model, card=card, network=teacher_network(recipe, model).to(device))


def _distillation(
    recipe: Recipe,
    samples: Samples,
    targets: Targets,
    groups: np.ndarray | None,
    identity: losses.ClassificationLoss | None,
    device: torch.device,
) -> losses.Distillation:
    ask = None
    if recipe.teacher.same_view:
        ask = SameView(_asked(recipe, device), recipe.model, torch.from_numpy(targets.mean))
    return losses.Distillation(
        torch.from_numpy(targets.training),
        torch.from_numpy(samples.labels),
        cosine=recipe.teacher.cosine,
        relational=recipe.teacher.relational,
        identity=identity,
        identity_weight=recipe.teacher.identity,
        ask=ask,
        strangers=None if groups is None else _strangers(recipe, groups),
    )


def _strangers(recipe: Recipe, groups: np.ndarray) -> losses.Strangers:
    given = recipe.strangers
    return losses.Strangers(torch.from_numpy(groups), given.weight, given.margin, given.scale, given.trust)
