"""The sample order as a pure function of (seed, epoch), so that resuming needs no state.

Positions 0, 1, 2, ... run through one epoch after another, each a new permutation; step s of a run with G samples
per step takes positions s·G ... (s+1)·G−1. So the order depends neither on the number of workers nor on the number
of ranks.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Order:
    """The endless order of ``count`` samples for ``seed``; caches the last two permutations."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self._kept: dict[int, np.ndarray] = {}

    def permutation(self, epoch: int) -> np.ndarray:
        """The order of ``epoch`` (from 0), int64, ``count``."""
        kept = self._kept.get(epoch)
        if kept is None:
            kept = np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(self.count)
            # Threads at an epoch boundary need both; replacing the dict needs no lock.
            self._kept = {epoch: kept} | dict(list(self._kept.items())[:1])
        return kept

    def at(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample indices and epochs, int64, at positions ``first`` ... ``first + count - 1``."""
        position = np.arange(first, first + count)
        epochs = position // self.count
        indices = np.empty(count, dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            indices[here] = self.permutation(int(epoch))[position[here] % self.count]
        return indices, epochs


def uniforms(seed: int, epochs: np.ndarray, indices: np.ndarray, count: int) -> np.ndarray:
    """``count`` numbers in [0, 1) for each sample, float64 N×count, from (seed, epoch, sample index) alone.

    A counter hashed with the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a batch is one vectorised
    expression, and there is no generator state to save.
    """
    with np.errstate(over="ignore"):
        state = _mix(np.array([seed % 2**64], dtype=np.uint64) + _GOLDEN)
        state = _mix(state + epochs.astype(np.uint64) * _GOLDEN)
        state = _mix(state + indices.astype(np.uint64) * _GOLDEN)
        counter = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        return (_mix(state[:, None] + counter) >> np.uint64(11)) / float(2**53)


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
