"""Save and restore the state of a trainer as named tensors."""

from typing import Any

import torch
from torch import Tensor

from facepipe.train.loop.checkpoint import Checkpoint, TrainingError
from facepipe.train.loop.optimiser import optimiser_tensors, restore_optimiser
from facepipe.train.loop.trainer import CLASS_PREFIX, Trainer
from facepipe.zoo.headed import Trainable

_VELOCITY = "loss.classes.weight.momentum_buffer"


def take_state(trainer: Trainer, step: int, values: dict[str, Any]) -> Checkpoint:
    """The complete state of the run after ``step`` steps."""
    tensors = {f"net.{name}": value for name, value in trainer.net.state_dict().items()}
    tensors |= {f"loss.{name}": value for name, value in trainer.loss.state_dict().items()}
    state = optimiser_tensors(trainer.optimiser, trainer.names)
    if trainer.velocity is not None:
        state[_VELOCITY] = trainer.velocity
    tensors |= {f"optimiser.{name}": value for name, value in state.items()}
    if trainer.average is not None:
        tensors |= {f"average.{name}": value for name, value in trainer.average.net.state_dict().items()}
    tensors["random"] = torch.get_rng_state()
    if trainer.ranks.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(trainer.ranks.device)
    sharded = _sharded(trainer, tensors)
    replicated = {name: value for name, value in tensors.items() if name not in sharded}
    return Checkpoint(step, replicated, values, sharded, _classes(trainer))


def _classes(trainer: Trainer) -> int:
    weights = trainer.loss.class_weights
    return 0 if weights is None else weights.total


def _sharded(trainer: Trainer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose rows are classes, if classes are sharded over ranks."""
    if not trainer.holds_shard:
        return {}
    prefixes = (f"loss.{CLASS_PREFIX}", f"optimiser.loss.{CLASS_PREFIX}")
    return {name: value for name, value in tensors.items() if name.startswith(prefixes) and value.ndim}


def room_for_classes(trainer: Trainer) -> dict[str, Tensor]:
    """Empty tensors into which ``load_checkpoint`` loads this rank's rows of the class weights and optimiser state."""
    if not trainer.holds_shard:
        return {}
    rows = {f"loss.{n}": v for n, v in trainer.loss.state_dict().items() if n.startswith(CLASS_PREFIX)}
    kept = ("momentum_buffer", "exp_avg", "exp_avg_sq")
    states = {f"optimiser.{name}.{key}": value for name, value in rows.items() for key in kept}
    return {name: torch.zeros_like(value) for name, value in (rows | states).items()}


def restore_state(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Restore a checkpoint, bit for bit with a single process.

    Raises:
        TrainingError: it belongs to another network or loss, or its head to another backbone.
    """
    tensors = _take_shard(trainer, checkpoint.tensors)
    _require_same_backbone(trainer.net, checkpoint)
    try:
        trainer.net.load_state_dict(_under("net.", tensors))
        trainer.loss.load_state_dict(_under("loss.", tensors))
        if trainer.average is not None:
            trainer.average.net.load_state_dict(_under("average.", tensors) or _under("net.", tensors))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()[:160]
        raise TrainingError(
            f"the checkpoint of step {checkpoint.step} does not fit the recipe: {reason}"
        ) from error
    state = _under("optimiser.", tensors)
    restore_optimiser(trainer.optimiser, trainer.names, state)
    if trainer.velocity is not None and _VELOCITY in state:
        trainer.velocity.copy_(state[_VELOCITY])
    _restore_random(trainer, checkpoint)


def _require_same_backbone(net: Trainable, checkpoint: Checkpoint) -> None:
    """A head resumed on changed weights of a frozen backbone would keep the old ones, contrary to its card."""
    saved = _under("net.", checkpoint.tensors)
    if any(name in saved and not torch.equal(saved[name], w.cpu()) for name, w in net.frozen_weights().items()):
        raise TrainingError(
            f"the checkpoint of step {checkpoint.step} has a backbone other than uncertainty.backbone, or an earlier "
            "version of it; start again in another folder"
        )


def _take_shard(trainer: Trainer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reduce whole class weights of a checkpoint to this rank's rows if the run shards them."""
    classes = trainer.loss.class_weights
    if not trainer.holds_shard or classes is None:
        return tensors
    rows = slice(classes.first, classes.first + len(classes.weight))
    whole = {name: t for name, t in _sharded(trainer, tensors).items() if len(t) == classes.total}
    return tensors | {name: tensor[rows] for name, tensor in whole.items()}


def _restore_random(trainer: Trainer, checkpoint: Checkpoint) -> None:
    if not trainer.ranks.first:  # only the first rank's generator is saved; the others start a new stream
        torch.manual_seed(trainer.recipe.loop.seed + 7919 * checkpoint.step + trainer.ranks.rank)
        return
    torch.set_rng_state(checkpoint.tensors["random"])
    if trainer.ranks.device.type == "cuda" and "random.cuda" in checkpoint.tensors:
        torch.cuda.set_rng_state(checkpoint.tensors["random.cuda"], trainer.ranks.device)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
