"""Micro-batches of labelled people and groups of similar strangers, as a pure function of (seed, position)."""

import numpy as np

from facepipe.losses.strangers import NO_GROUP
from facepipe.train.data.order import Order


class StrangerOrder:
    """An endless order in which the last ``strangers`` of every ``batch`` samples come from one or a few groups.

    The other samples follow `Order`. Groups are drawn in proportion to the square root of their size: uniformly, most
    steps would go to babies of each origin; by size, to the largest source. Each group contributes equally many
    images, without repetition if it has enough.

    Args:
        groups: int64 N, group of each sample, ``NO_GROUP`` for labelled people.
        seed: seed of the run.
        batch: samples of a micro-batch.
        strangers: how many of these are strangers; fewer than ``batch``.
        groups_at_once: groups per micro-batch, a divisor of ``strangers``.
        extra: samples that occur once more in each epoch, int64.
        skip: samples to leave out, bool N.
    """

    def __init__(
        self,
        groups: np.ndarray,
        seed: int,
        batch: int,
        strangers: int,
        groups_at_once: int = 1,
        extra: np.ndarray | None = None,
        skip: np.ndarray | None = None,
    ) -> None:
        self.seed, self.batch, self.strangers = seed, batch, strangers
        self.groups_at_once = groups_at_once
        skipped = np.zeros(len(groups), bool) if skip is None else skip
        people = np.flatnonzero((groups == NO_GROUP) & ~skipped)
        self._people = people if extra is None else np.concatenate([people, extra])
        self._order = Order(len(self._people), seed)
        self._members = [np.flatnonzero((groups == group) & ~skipped) for group in range(groups.max(initial=-1) + 1)]
        self._members = [members for members in self._members if len(members)]
        self._chances = np.sqrt([len(members) for members in self._members])
        self._chances /= self._chances.sum() or 1

    def at(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample indices and epochs, int64, at positions ``first`` ... ``first + count - 1``."""
        position = np.arange(first, first + count)
        unit, place = position // self.batch, position % self.batch
        people = self.batch - self.strangers
        known = place < people
        indices, epochs = np.empty(count, np.int64), unit.copy()
        for number in np.unique(unit):
            here = unit == number
            numbers, turns = self._order.at(int(number) * people, people)
            indices[here & known] = self._people[numbers][place[here & known]]
            epochs[here & known] = turns[place[here & known]]
            indices[here & ~known] = self._drawn(int(number))[place[here & ~known] - people]
        return indices, epochs

    def _drawn(self, unit: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(key=[self.seed ^ 0x57A6, unit]))
        too_few = len(self._members) < self.groups_at_once
        chosen = generator.choice(len(self._members), self.groups_at_once, replace=too_few, p=self._chances)
        each = self.strangers // self.groups_at_once
        return np.concatenate([np.resize(generator.permutation(self._members[g]), each) for g in chosen])
