"""Micro-batches of some people and some strangers who are alike, as a pure function of (seed, position)."""

import numpy as np

from facepipe.losses.strangers import NO_GROUP
from facepipe.train.data.order import Order


class StrangerOrder:
    """An endless order in which the last ``strangers`` of every ``batch`` neighbours are of one group or a few.

    The people run through epoch after epoch, as in `Order`. A group is drawn as often as the square root of its size
    says: evenly would spend most steps on the babies of each origin, by size most on the largest source. From each as
    many images are drawn without repetition, as long as there are enough.

    Args:
        groups: int64 N, group of each sample, ``NO_GROUP`` for the people.
        seed: of the run.
        batch: samples of a micro-batch.
        strangers: of these, how many are strangers; fewer than ``batch``.
        groups_at_once: groups of a micro-batch, a divisor of ``strangers``.
        extra: samples that come once more in each epoch, int64.
        skip: samples that do not come at all, bool N.
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
        left_out = np.zeros(len(groups), bool) if skip is None else skip
        people = np.flatnonzero((groups == NO_GROUP) & ~left_out)
        self._people = people if extra is None else np.concatenate([people, extra])
        self._order = Order(len(self._people), seed)
        self._members = [np.flatnonzero((groups == group) & ~left_out) for group in range(groups.max(initial=-1) + 1)]
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
