"""Batches of a fixed number of identities and images per identity, as a pure function of (seed, position)."""

import numpy as np

from facepipe.train.data.order import uniforms


class BalancedOrder:
    """An endless order in which every ``per_class`` consecutive samples are images of one identity.

    Each round is a new permutation of the identities, so all occur equally often whatever their number of images;
    identities that would not fill the last step of a round are dropped, so that those of a step are distinct (if there
    are enough). An identity's images are drawn again each time, without repetition if it has enough.

    Args:
        labels: int64 N; negative labels are skipped.
        seed: seed of the run.
        per_class: consecutive images of an identity.
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

        Each draw has its own epoch, so that an image drawn twice is augmented differently.
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
        """``per_class`` of an identity's images, in random order, repeated if there are not enough."""
        # Not the augmentation's seed, or the choice of image would correlate with its augmentation.
        numbers = uniforms(self.seed ^ 0xBA1A, np.full(len(images), turn), images, 1)[:, 0]
        return np.resize(images[np.argsort(numbers)], self.per_class)
