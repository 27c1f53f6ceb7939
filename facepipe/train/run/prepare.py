"""Prepare a run: data, teacher targets, network, loss and trainer."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn

from facepipe import backbones
from facepipe.alignment import template
from facepipe.datasets import Samples, at_most, drop_small, fingerprint, hold_out, open_samples
from facepipe.datasets.samples.cut import check_cut
from facepipe.datasets.samples.samples import contents_digest
from facepipe.datasets.samples.splits import is_turned
from facepipe.devices import keep_freed_memory
from facepipe.errors import ModelError
from facepipe.losses.strangers import NO_GROUP
from facepipe.tables import counted
from facepipe.train.data.crops import Crops
from facepipe.train.data.groups import stranger_groups
from facepipe.train.data.loader import Loader, Share
from facepipe.train.data.stranger_order import StrangerOrder
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.heads.frozen import check_loss, head_net
from facepipe.train.loop.schedule import total_steps
from facepipe.train.loop.trainer import Trainer
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import ModelSection, Recipe
from facepipe.train.teacher.distil import add_unlabelled_samples, create_loss, recipe_targets
from facepipe.train.teacher.targets import Targets
from facepipe.train.trunk.cut import Upper
from facepipe.train.trunk.keep import on_kept_maps
from facepipe.train.trunk.kept_maps import KeptMaps
from facepipe.train.trunk.map_loader import MapLoader
from facepipe.zoo.headed import Trainable


@dataclass(frozen=True)
class Prepared:
    """Data and trainer of one rank.

    Attributes:
        samples: the training samples.
        held_out: held-out identities, or None.
        targets: the teacher's targets for both, or None.
        fingerprint: fingerprint of the people of ``samples``.
        contents: digest of their images.
        share: how a step is split into ranks and micro-batches.
        steps: length of the run.
        steps_per_epoch: not rounded.
        notes: messages about the data for the user.
    """

    samples: Samples
    held_out: Samples | None
    targets: Targets | None
    fingerprint: str
    contents: str
    share: Share
    steps: int
    steps_per_epoch: float
    crops: Crops
    loader: Loader | MapLoader
    trainer: Trainer
    notes: tuple[str, ...]


def prepare(recipe: Recipe, ranks: Ranks, console: Console | None = None) -> Prepared:
    """Open the data, compute the teacher's targets if there is one, and create network, loss and trainer.

    Raises:
        DatasetError: the data are missing, malformed, of the wrong size or of too few people.
        RecipeError: network, loss, an option or the batch size is invalid.
        ModelError, ImageError: the teacher does not exist, or takes other crops.
        DeviceError: the precision is not available.
    """
    _use_device(recipe, ranks)
    data, loop = recipe.data, recipe.loop
    share = _share(recipe, ranks)
    samples, held_out = open_data(recipe)
    cut = template(recipe.model.template).identity
    cut_notes = [note for path in data.paths if (note := check_cut(Path(path), cut))]
    memory = int(data.memory_gb * 1e9 / ranks.local_count)
    crops = Crops(samples, recipe.model.input_size, data.fit, memory, loop.seed, data.max_corrupt)
    net = _net(recipe)
    maps: KeptMaps | None = None
    targets: Targets | None
    if recipe.freeze.until:
        maps, targets = on_kept_maps(recipe, crops, net, ranks, console or Console(stderr=True, quiet=True))
    else:
        targets = recipe_targets(recipe, samples, held_out, ranks, console)
    groups = None
    if recipe.strangers.weight:
        groups, _ = stranger_groups(samples, recipe.strangers.sources)
    order = None if groups is None and maps is None else _order(recipe, samples, groups, maps, share)
    steps_per_epoch = len(samples) / share.samples_per_step
    return Prepared(
        samples=samples,
        held_out=held_out,
        targets=targets,
        fingerprint=fingerprint(samples),
        contents=contents_digest(samples),
        share=share,
        steps=total_steps(recipe.schedule, steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        crops=crops,
        loader=_loader(recipe, crops, share, targets is not None, maps, order),
        trainer=_trainer(recipe, net, samples, targets, groups, steps_per_epoch, ranks),
        notes=(*samples.notes, *cut_notes),
    )


def open_data(recipe: Recipe) -> tuple[Samples, Samples | None]:
    """The training samples and the held-out identities.

    Raises:
        DatasetError: the data are missing, malformed or of too few people.
    """
    data, seed = recipe.data, recipe.loop.seed
    opened = open_samples(data.paths, data.cut_shards, data.exclude, data.identity_depth)
    # In this order, so that the people held out for a head were also held out for its backbone, whatever min_images.
    kept, held_out = hold_out(opened, data.held_out, seed)
    named = drop_small(kept, data.min_images)
    limited = at_most(named, data.max_images, seed) if data.max_images else named
    return add_unlabelled_samples(recipe, limited), held_out


def _order(
    recipe: Recipe, samples: Samples, groups: np.ndarray | None, maps: KeptMaps | None, share: Share
) -> StrangerOrder:
    """The order of labelled people and strangers; unreadable samples are skipped."""
    settings = recipe.strangers
    strangers = round(settings.share * share.batch) // settings.groups * settings.groups
    skip = np.zeros(len(samples), bool) if maps is None else maps.unreadable()
    if groups is None:
        groups, strangers = np.full(len(samples), NO_GROUP), 0
    elif settings.sources:  # other sources are not used at all, not even for distillation
        skip = skip | ((samples.labels < 0) & (groups == NO_GROUP))
    extra = np.repeat(np.flatnonzero(is_turned(samples)), recipe.data.profile_repeats - 1)
    return StrangerOrder(groups, recipe.loop.seed, share.batch, strangers, settings.groups, extra, skip)


def _loader(
    recipe: Recipe, crops: Crops, share: Share, numbered: bool, maps: KeptMaps | None, order: StrangerOrder | None
) -> Loader | MapLoader:
    data, seed = recipe.data, recipe.loop.seed
    if maps is not None:
        assert order is not None
        return MapLoader(maps, order, seed, share)
    loader = Loader(
        crops, recipe.augment, seed, share, data.workers, data.prefetch_batches, numbered, data.images_per_identity,
        data.append_unaugmented,
    )  # fmt: skip
    if order is not None:
        loader.order = order
    return loader


def _share(recipe: Recipe, ranks: Ranks) -> Share:
    batch, micro_batches = recipe.loop.batch, recipe.loop.accumulate
    if batch % (ranks.count * micro_batches):
        raise RecipeError(
            f"loop.batch = {batch} cannot be split into {counted(ranks.count, 'rank')} × "
            f"{counted(micro_batches, 'micro-batch')}; choose a multiple"
        )
    images = recipe.data.images_per_identity
    if batch // (ranks.count * micro_batches) % images:
        raise RecipeError(
            f"loop.batch = {batch}: the part of each rank and micro-batch must be a multiple of "
            f"data.images_per_identity = {images}"
        )
    micro_batch = batch // ranks.count // micro_batches
    if micro_batch == 1 and not recipe.uncertainty.head and _normalises_batches(recipe.model):
        raise RecipeError(
            f"loop.batch = {batch} leaves one image per rank and micro-batch, but the batch normalisation of "
            f"{recipe.model.backbone} needs two: raise it, or lower loop.accumulate"
        )
    return Share(micro_batch, micro_batches, ranks.rank, ranks.count)


def _normalises_batches(model: ModelSection) -> bool:
    try:
        with torch.device("meta"):
            net = _backbone(model)
    except ModelError:  # reported when the network is created
        return False
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())


def _use_device(recipe: Recipe, ranks: Ranks) -> None:
    if ranks.device.type == "cpu":
        keep_freed_memory()
    if ranks.device.type != "cuda":
        return
    if recipe.loop.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = not recipe.loop.deterministic
    torch.use_deterministic_algorithms(recipe.loop.deterministic, warn_only=True)


def _net(recipe: Recipe) -> Trainable:
    # The same on every rank, so that all start from the same weights.
    torch.manual_seed(recipe.loop.seed)
    try:
        check_loss(recipe)
        return head_net(recipe) if recipe.uncertainty.head else _backbone(recipe.model)
    except ModelError as error:
        raise RecipeError(f"recipe: {error}") from error


def _trainer(
    recipe: Recipe,
    net: Trainable,
    samples: Samples,
    targets: Targets | None,
    groups: np.ndarray | None,
    steps_per_epoch: float,
    ranks: Ranks,
) -> Trainer:
    try:
        criterion = create_loss(recipe, samples, targets, groups, ranks.device)
        net, criterion = net.to(ranks.device), criterion.to(ranks.device)
        upper = Upper(net, recipe.freeze.until) if recipe.freeze.until else None
        trainer = Trainer(recipe, net, criterion, steps_per_epoch, ranks, upper)
    except ModelError as error:
        raise RecipeError(f"recipe: {error}") from error
    torch.manual_seed(recipe.loop.seed + ranks.rank)
    return trainer


def _backbone(model: ModelSection) -> backbones.Backbone:
    return backbones.create(
        model.backbone, input_size=model.input_size, embedding_dim=model.embedding_dim, **model.options
    )
