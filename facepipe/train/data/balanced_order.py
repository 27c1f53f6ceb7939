"""Batches of so many identities with so many images each, as a pure function of (seed, position)."""

import numpy as np

from facepipe.train.data.order import uniforms


class BalancedOrder:
    """An endless order in which every ``per_class`` neighbours are images of one identity.

    Round after round, the identities come in a fresh permutation, each as often as any other however many images it
    has; in a round, those are left over that do not fill a step, so that the identities of a step are all different
    (where there are enough). An identity's images are drawn anew each time, without repetition where it has enough.

    Args:
        labels: int64 N; negative ones are left out.
        seed: of the run.
        per_class: images of an identity in a row.
        step: samples of an optimiser step, all ranks together; a multiple of ``per_class``.
    """

    def __init__(self, labels: np.ndarray, seed: int, per_class: int, step: int) -> None:
        self.seed = seed
        self.per_class = per_class
        order = np.argsort(labels, kind="stable")
        order = order[labels[order] >= 0]
        starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
        self._images = np.split(order, starts[1:])
        groups, classes = step // per_class, len(self._images)
        self._round = classes // groups * groups or classes

    def at(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample indices and epochs, int64, at positions ``first`` ... ``first + count - 1``.

        The epochs differ for every draw, so that an image that comes twice is changed in two ways.
        """
        position = np.arange(first, first + count)
        group, place = position // self.per_class, position % self.per_class
        turn = group // self._round
        permutations = {int(number): self._permutation(int(number)) for number in np.unique(turn)}
        indices = np.empty(count, np.int64)
        for number in np.unique(group):
            now, chosen = divmod(int(number), self._round)
            here = group == number
            indices[here] = self._drawn(self._images[permutations[now][chosen]], now)[place[here]]
        return indices, turn * self.per_class + place

    def _permutation(self, turn: int) -> np.ndarray:
        return np.random.Generator(np.random.Philox(key=[self.seed, turn])).permutation(len(self._images))

    def _drawn(self, images: np.ndarray, turn: int) -> np.ndarray:
        """``per_class`` of an identity's images, in random order, again and again where there are not enough."""
        # Another seed than augmentation's, or which image is drawn would go with how it is changed.
        numbers = uniforms(self.seed ^ 0xBA1A, np.full(len(images), turn), images, 1)[:, 0]
        return np.resize(images[np.argsort(numbers)], self.per_class)
