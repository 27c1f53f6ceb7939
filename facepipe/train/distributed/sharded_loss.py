"""A classification loss whose classes are sharded over ranks, optionally with a sample of the classes per step.

An, Deng, Guo et al., "Killing Two Birds with One Stone: Efficient and Robust Training of Face Recognition
CNNs by Partial FC", CVPR 2022: each rank keeps a shard of the classes and sees the features of all ranks; each step
uses the classes that occur in the batch and a random sample of the others, up to the sample rate.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.losses import ClassificationLoss, ClassWeights, LossOutput
from facepipe.train.distributed.ranks import Ranks


def shard_of(classes: int, ranks: int, rank: int) -> tuple[int, int]:
    """First class and end of a rank's shard: ⌈C/R⌉ classes each, fewer on the last, as DTensor's Shard(0).

    Raises:
        ModelError: there are so few classes that a rank would have none.
    """
    size = -(-classes // ranks)
    first, stop = rank * size, min((rank + 1) * size, classes)
    if (ranks - 1) * size >= classes:
        raise ModelError(
            f"{classes} classes cannot be split over {ranks} ranks; set distributed.shard_classes = false"
        )
    return first, stop


class _GatherRows(torch.autograd.Function):
    """Rows of all ranks, rank by rank. Backward: this rank's rows of the sum of all ranks' gradients."""

    @staticmethod
    def forward(ctx, rows: Tensor, ranks: Ranks) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.ranks = ranks
        return torch.cat(ranks.gather(rows))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        ranks: Ranks = ctx.ranks
        gradient = gradient.contiguous()
        if ranks.count > 1:
            dist.all_reduce(gradient)
        local = gradient.chunk(ranks.count)[ranks.rank]
        # DistributedDataParallel will average over ranks, but a sum is needed: the loss is a mean over all samples.
        return local * ranks.count, None


class ShardedLoss(nn.Module):
    """The loss over the batches of all ranks, each rank holding its shard of the classes.

    The gradient of the class weights is exact and local. The gradient of this rank's features is that of the
    mean over all ranks' samples, times the number of ranks, as DistributedDataParallel expects. Gradients of
    the loss's other parameters are this rank's part of a sum.

    Args:
        loss: a shardable loss with all classes; reduced to this rank's shard in place.
        ranks: the processes.
        sample_rate: fraction of the shard used per step; 1 for all.
        seed: seed of the sampling, which also depends on step and rank.

    Raises:
        ModelError: the loss cannot be sharded, or sampled (it has biases).
    """

    def __init__(
        self, loss: ClassificationLoss, ranks: Ranks, sample_rate: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        if ranks.count > 1:
            loss.keep_shard(*shard_of(loss.classes.total, ranks.count, ranks.rank))
        if sample_rate < 1 and loss.classes.bias is not None:
            raise ModelError("distributed.sample_rate below 1: a loss with class biases cannot be sampled")
        self.loss = loss
        self.ranks = ranks
        self.sample_rate = sample_rate
        self.seed = seed
        self.sampled: SampledClasses | None = None

    def forward(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        """As ``Loss.forward``, over all ranks' samples; the same value on every rank."""
        gathered = _GatherRows.apply(features, self.ranks)
        labels = torch.cat(self.ranks.gather(labels))
        if self.sample_rate >= 1:
            return self._loss(gathered, labels, step)
        whole = self.loss.classes
        self.sampled = SampledClasses(whole, self._choose(labels, step))
        self.loss.classes = self.sampled
        try:
            return self._loss(gathered, labels, step)
        finally:
            self.loss.classes = whole

    def _loss(self, features: Tensor, labels: Tensor, step: int) -> LossOutput:
        local = self.loss.partial(features, labels, step)
        parts = self.ranks.gather(local.detach())
        parts[self.ranks.rank] = local
        return self.loss.total(torch.stack(parts), step)

    def _choose(self, labels: Tensor, step: int) -> Tensor:
        """Rows of this shard used in the step, ascending: those in the batch, and a random sample of the rest."""
        classes = self.loss.classes
        rows = len(classes.weight)
        local = classes.local(labels)
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + step) * 4099 + self.ranks.rank)
        weight = torch.rand(rows, generator=generator).to(labels.device)
        weight[local[local >= 0]] = 2.0
        count = max(int((weight == 2.0).sum()), round(rows * self.sample_rate), 1)
        return weight.topk(count).indices.sort().values


class SampledClasses(ClassWeights):
    """A copy of some rows of the class weights for one step; ``write_back`` updates the originals."""

    def __init__(self, whole: ClassWeights, rows: Tensor) -> None:
        nn.Module.__init__(self)
        self.whole = [whole]  # in a list, so that its parameters are not counted twice
        self.rows = rows
        self.weight = nn.Parameter(whole.weight.detach()[rows])
        self.register_parameter("bias", None)
        self.first = whole.first
        self.total = whole.total

    def local(self, labels: Tensor) -> Tensor:
        """Global labels N → row indices N in the sample, −1 for classes not in it."""
        row = self.whole[0].local(labels)
        place = torch.searchsorted(self.rows, row.clamp_min(0)).clamp_max(len(self.rows) - 1)
        return torch.where((row >= 0) & (self.rows[place] == row), place, torch.full_like(row, -1))

    @torch.no_grad()
    def write_back(self, velocity: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        """One step of SGD on the sampled rows: v ← μv + g + δw, w ← w − lr·v; other rows are unchanged.

        Args:
            velocity: float32, shaped like the whole shard; changed in place.
        """
        gradient = self.weight.grad
        assert gradient is not None
        updated = velocity[self.rows].mul_(momentum).add_(gradient).add_(self.weight, alpha=weight_decay)
        velocity[self.rows] = updated
        self.whole[0].weight.data[self.rows] = self.weight - lr * updated
