"""Micro-batches of cached feature maps instead of crops."""

from collections.abc import Generator

import numpy as np

from facepipe.train.data.loader import Share
from facepipe.train.data.order import uniforms
from facepipe.train.data.stranger_order import StrangerOrder
from facepipe.train.trunk.kept_maps import KeptMaps


class MapLoader:
    """Micro-batches of maps float16 N×h×w×C, each in a random view, and sample indices int64 N.

    Args:
        kept: the maps of all samples.
        order: order of the samples.
        seed: seed of the run.
        share: how a step is split into ranks and micro-batches.
    """

    def __init__(self, kept: KeptMaps, order: StrangerOrder, seed: int, share: Share) -> None:
        self.kept, self.order, self.seed, self.share = kept, order, seed, share

    def build(self, step: int, micro_batch: int) -> tuple[np.ndarray, np.ndarray]:
        """One micro-batch, a pure function of its arguments."""
        indices, epochs = self.order.at(self.share.first_position(step, micro_batch), self.share.batch)
        drawn = uniforms(self.seed ^ 0x71E3, epochs, indices, 1)[:, 0]
        return self.kept.batch(indices, (drawn * self.kept.views).astype(np.int64)), indices

    def batches(self, first_step: int, last_step: int) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Micro-batches of steps ``first_step`` ... ``last_step - 1``."""
        for step in range(first_step, last_step):
            for micro_batch in range(self.share.micro_batches):
                yield self.build(step, micro_batch)
