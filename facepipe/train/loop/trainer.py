"""The trainer: one optimiser step at a time on network, loss and batches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from facepipe.devices import NO_ROOM, choose_precision
from facepipe.losses import Loss, LossOutput
from facepipe.train.data.loader import to_network
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.distributed.sharded_loss import ShardedLoss
from facepipe.train.loop.averaging import MovingAverage, interpolate_weights
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.optimiser import (
    carry_velocity,
    create_optimiser,
    set_rate,
    trained_parameters,
)
from facepipe.train.loop.schedule import rate
from facepipe.train.recipe.schema import Recipe
from facepipe.train.trunk.cut import Upper, as_map, keep_statistics
from facepipe.zoo.headed import Trainable

Batches = Iterator[tuple[np.ndarray, np.ndarray]]
Evaluation = Callable[[Trainable], dict[str, float]]
"""A network in evaluation mode → named figures, such as ``{"lfw": 0.992}``."""

CLASS_PREFIX = "classes."


@dataclass(frozen=True)
class StepResult:
    """The result of one step, as 0-d tensors that are read only when they are shown."""

    loss: Tensor
    logged: dict[str, Tensor]


class Trainer:
    """Network, loss, optimiser and weight average of one run on one rank.

    Args:
        recipe: all settings.
        net: the network, on the device of ``ranks``.
        loss: on the same device, with all classes; sharded here if recipe and loss allow it.
        steps_per_epoch: for all ranks together; needed by schedules in epochs.
        ranks: the processes of the run.
        upper: the trained part of ``net`` if batches are feature maps from the frozen part, and ``net`` then has its
            initial weights; None if all of it is trained.

    Raises:
        ModelError: optimiser groups, sampling or sharding do not fit network, loss or number of ranks.
        DeviceError: the precision is not available.
    """

    def __init__(
        self,
        recipe: Recipe,
        net: Trainable,
        loss: Loss,
        steps_per_epoch: float,
        ranks: Ranks,
        upper: Upper | None = None,
    ) -> None:
        self.recipe = recipe
        self.upper = upper
        kept = recipe.teacher.interpolate and upper is not None
        self.initial = {name: tensor.clone() for name, tensor in net.state_dict().items()} if kept else None
        self.ranks = ranks
        self.steps_per_epoch = steps_per_epoch
        layout = torch.channels_last if recipe.loop.channels_last else torch.contiguous_format
        self.net: Trainable = net.to(memory_format=layout).train()
        self.loss = loss.train()
        self.criterion = self._criterion()
        self.restart_average()
        self._optimise()
        self.forward_net = self._forward_net()
        self.dtype = choose_precision(recipe.loop.precision, ranks.device)

    def restart_average(self) -> None:
        """Restart the moving average, if there is one, from the current weights."""
        decay = self.recipe.loop.ema
        self.average = MovingAverage(self.net, decay) if decay else None

    def _criterion(self) -> Callable[[Tensor, Tensor, int], LossOutput]:
        settings = self.recipe.distributed
        self.shards: ShardedLoss | None = None
        shardable = self.loss.shardable
        if settings.sample_rate < 1 and not (shardable and settings.shard_classes):
            raise TrainingError(
                f"distributed.sample_rate = {settings.sample_rate} needs shard_classes = true and a "
                f"loss whose classes can be sharded; those of {self.recipe.loss.name} cannot"
            )
        self.sharded = shardable and settings.shard_classes and (self.ranks.count > 1 or settings.sample_rate < 1)
        if not self.sharded:
            return self.loss
        loss = self.loss.classification
        assert loss is not None  # as `shardable` says
        self.shards = ShardedLoss(loss, self.ranks, settings.sample_rate, self.recipe.loop.seed)
        return self.shards

    def _optimise(self) -> None:
        """Create the optimiser; sampled class weights are updated row by row instead."""
        sampled = self.recipe.distributed.sample_rate < 1
        excluded: list[nn.Parameter] = []
        self.velocity: Tensor | None = None
        if sampled:
            weights = self.loss.class_weights
            assert weights is not None  # checked in `_criterion`
            excluded = [weights.weight]
            self.velocity = torch.zeros_like(weights.weight)
        self.names = trained_parameters(self.net, self.loss, excluded)
        # Sharded class weights are on this rank alone: their gradients need no reduction.
        of_classes = [p for p, name in self.names.items() if name.startswith(f"loss.{CLASS_PREFIX}")]
        self.local_classes = of_classes if self.sharded else []
        self.optimiser = create_optimiser(self.recipe.optimiser, self.net, self.names)

    def _forward_net(self) -> nn.Module:
        net: nn.Module = self.net if self.upper is None else self.upper
        if self.ranks.count > 1:
            ids = [self.ranks.device.index] if self.ranks.device.type == "cuda" else None
            net = DistributedDataParallel(net, device_ids=ids)
        if self.recipe.loop.compile:
            net.compile()
        return net

    def step(self, number: int, batches: Batches) -> StepResult:
        """One optimiser step.

        Args:
            number: number of the step, from 0.
            batches: this rank's micro-batches, in order.

        Raises:
            TrainingError: the GPU is out of memory, or torch.compile failed.
        """
        try:
            return self._step(number, batches)
        except torch.OutOfMemoryError as error:
            batch, parts = self.recipe.loop.batch, self.recipe.loop.accumulate
            raise TrainingError(
                f"{NO_ROOM} for loop.batch = {batch}: halve it and double loop.accumulate = {parts}"
            ) from error

    def _step(self, number: int, batches: Batches) -> StepResult:
        now = rate(self.recipe.schedule, number, self.steps_per_epoch)
        self._set_rate(number, now)
        micro_batches = self.recipe.loop.accumulate
        total, logged = torch.zeros((), device=self.ranks.device), {}
        for index in range(micro_batches):
            with self._no_sync(last=index == micro_batches - 1):
                out = self._forward(*next(batches), number + 1)
                (out.loss / micro_batches).backward()
            total += out.loss.detach() / micro_batches
            logged = out.logged
        self._finish_gradients()
        self.optimiser.step()
        self._step_sampled(now)
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.net)
        return StepResult(total, logged)

    def _set_rate(self, number: int, now: float) -> None:
        set_rate(self.optimiser, now)
        if self.recipe.optimiser.lr_in_velocity and number:
            before = rate(self.recipe.schedule, number - 1, self.steps_per_epoch)
            carry_velocity(self.optimiser, before, now)
            if self.velocity is not None and before != now:
                self.velocity.mul_(before / now)

    def _forward(self, crops: np.ndarray, labels: np.ndarray, number: int) -> LossOutput:
        device, model = self.ranks.device, self.recipe.model
        if self.upper is None:
            x = to_network(crops, device, model.mean, model.scale, model.channels)
        else:
            keep_statistics(self.net)  # an evaluation may have changed the mode
            x = as_map(crops).to(device)
        if not self.recipe.loop.channels_last:
            x = x.contiguous()
        self.loss.show_crops(x)
        y = torch.from_numpy(labels).to(device, non_blocking=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            features = self._features(x)
        return self.criterion(features, y, number)

    def _features(self, x: Tensor) -> Tensor:
        try:
            features: Tensor = self.forward_net(x)
        except Exception as error:
            # The compiler raises many types of errors; what they share is the package they come from.
            if self.recipe.loop.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                raise TrainingError(f"loop.compile = true: torch.compile failed ({reason}); set it to false") from error
            raise
        return features

    def _no_sync(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients are reduced over ranks only in the last micro-batch of a step."""
        if not last and isinstance(self.forward_net, DistributedDataParallel):
            return self.forward_net.no_sync()
        return nullcontext()

    def _finish_gradients(self) -> None:
        if self.ranks.count > 1:
            self._reduce_loss_gradients()
        if self.recipe.optimiser.clip_value:
            nn.utils.clip_grad_value_([*self.names, *self._sampled_weight()], self.recipe.optimiser.clip_value)
        if self.recipe.optimiser.clip:
            self._clip(self.recipe.optimiser.clip)

    def _reduce_loss_gradients(self) -> None:
        """Sum (sharded) or average the gradients of the loss; those of the network are already reduced."""
        local = set(self.local_classes)
        for parameter, name in self.names.items():
            if name.startswith("loss.") and parameter not in local and parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                if not self.sharded:
                    parameter.grad /= self.ranks.count

    def _clip(self, largest: float) -> None:
        """Clip the norm of all gradients, shards of all ranks included, to ``largest``."""
        local = [p.grad for p in (*self.local_classes, *self._sampled_weight()) if p.grad is not None]
        shared = [p.grad for p in self.names if p.grad is not None and p not in set(self.local_classes)]
        squares = _square_sum(local, self.ranks.device)
        if self.ranks.count > 1:
            dist.all_reduce(squares)
        norm = (squares + _square_sum(shared, self.ranks.device)).sqrt()
        torch._foreach_mul_(shared + local, (largest / (norm + 1e-6)).clamp_max(1.0))

    def _sampled_weight(self) -> list[nn.Parameter]:
        """The class weights sampled for this step, which are not in the optimiser."""
        sampled = None if self.shards is None else self.shards.sampled
        return [] if sampled is None else [sampled.weight]

    def _step_sampled(self, now: float) -> None:
        if self.velocity is None or self.shards is None:
            return
        settings = self.recipe.optimiser
        assert self.shards.sampled is not None
        self.shards.sampled.write_back(
            self.velocity, settings.lr * now, settings.momentum, settings.weight_decay
        )
        self.shards.sampled = None

    @property
    def holds_shard(self) -> bool:
        """Whether this rank holds only a shard of the class weights."""
        return self.sharded and self.ranks.count > 1

    def finite(self) -> bool:
        """Whether all trained weights of all ranks are finite."""
        weights = list(self.names)
        of_classes = self.loss.class_weights
        if self.velocity is not None and of_classes is not None:
            weights.append(of_classes.weight)
        finite = torch.stack([weight.detach().isfinite().all() for weight in weights]).all()
        return not self.ranks.any(not finite.item())

    def best_net(self) -> Trainable:
        """The network to evaluate and save: the moving average, if any, interpolated with the teacher, if requested."""
        net = self.net if self.average is None else self.average.net
        return net if self.initial is None else interpolate_weights(net, self.initial, self.recipe.teacher.interpolate)


def _square_sum(tensors: list[Tensor], device: torch.device) -> Tensor:
    zero = torch.zeros((), device=device)
    return torch.stack([zero, *(tensor.float().square().sum() for tensor in tensors)]).sum()
