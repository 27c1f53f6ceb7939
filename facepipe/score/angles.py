"""Angles between embeddings of genuine and impostor pairs, as in SphereFace's Fig. 5."""

from dataclasses import dataclass

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import cosine


@dataclass(frozen=True)
class PairAngles:
    """Angles in degrees, float64.

    Attributes:
        same: between images of the same person.
        different: between images of different people, a random sample.
    """

    same: np.ndarray
    different: np.ndarray


def pair_angles(mu: np.ndarray, identity: np.ndarray, limit: int = 100_000, seed: int = 0) -> PairAngles:
    """Angles of at most ``limit`` pairs of each kind.

    Args:
        mu: float N×D.
        identity: int64 N, identity of each row.
        limit: maximum number of pairs of each kind; if there are more, a random sample.
        seed: of the sample.

    Raises:
        EmbeddingsError: no identity has two images, or there is only one identity.
    """
    random = np.random.default_rng(seed)
    left, right = _same_pairs(identity, limit, random)
    if len(left) == 0:
        raise EmbeddingsError("no identity has two images: there are no genuine pairs to show")
    if len(np.unique(identity)) < 2:
        raise EmbeddingsError("all images are of one identity: there are no impostor pairs to show")
    return PairAngles(_angle(mu, left, right), _angle(mu, *_different_pairs(identity, limit, random)))


def _same_pairs(identity: np.ndarray, limit: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(identity, kind="stable")
    counts = np.unique(identity, return_counts=True)[1]
    starts = np.cumsum(counts) - counts
    pairs = counts * (counts - 1) // 2
    ends = np.cumsum(pairs)
    total = int(pairs.sum())
    chosen = np.arange(total) if total <= limit else np.sort(random.choice(total, limit, replace=False))
    person = np.searchsorted(ends, chosen, side="right")
    # Pair k of a person is (i, j), i > j, with k = i(i − 1)/2 + j.
    k = chosen - (ends - pairs)[person]
    i = ((1 + np.sqrt(1 + 8 * k.astype(np.float64))) / 2).astype(np.int64)
    # Rounding of the root may be off by one.
    i -= i * (i - 1) // 2 > k
    i += (i + 1) * i // 2 <= k
    j = k - i * (i - 1) // 2
    return order[starts[person] + i], order[starts[person] + j]


def _different_pairs(identity: np.ndarray, limit: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    left = random.integers(len(identity), size=limit)
    # Skipping the rows of the same person keeps all other rows equally likely.
    order = np.argsort(identity, kind="stable")
    names, counts = np.unique(identity, return_counts=True)
    start = (np.cumsum(counts) - counts)[np.searchsorted(names, identity)]
    images = counts[np.searchsorted(names, identity)]
    step = random.integers(len(identity) - images[left])
    right = order[(start[left] + images[left] + step) % len(identity)]
    return left, right


def _angle(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(cosine(mu[left], mu[right])))
