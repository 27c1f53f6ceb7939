"""Angles between embeddings of one person and of different people, as SphereFace's Fig. 5 shows them."""

from dataclasses import dataclass

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import cosine


@dataclass(frozen=True)
class PairAngles:
    """Angles in degrees, float64.

    Attributes:
        same: between images of one person.
        different: between images of two people, a random choice.
    """

    same: np.ndarray
    different: np.ndarray


def pair_angles(mu: np.ndarray, identity: np.ndarray, limit: int = 100_000, seed: int = 0) -> PairAngles:
    """Angles of at most ``limit`` pairs of each kind.

    Args:
        mu: float N×D.
        identity: int64 N, who each row is.
        limit: largest number of pairs of each kind; where there are more, a random choice.
        seed: of that choice.

    Raises:
        EmbeddingsError: no identity has two images, or there is only one identity.
    """
    random = np.random.default_rng(seed)
    left, right = _same_pairs(identity, limit, random)
    if len(left) == 0:
        raise EmbeddingsError("no identity has two images: there is no angle within a person to show")
    if len(np.unique(identity)) < 2:
        raise EmbeddingsError("all images are of one identity: there is no angle between people to show")
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
    # Pair number k of a person is (i, j), i > j, with k = i(i − 1)/2 + j.
    k = chosen - (ends - pairs)[person]
    i = ((1 + np.sqrt(1 + 8 * k.astype(np.float64))) / 2).astype(np.int64)
    # The root may be rounded to the wrong side.
    i -= i * (i - 1) // 2 > k
    i += (i + 1) * i // 2 <= k
    j = k - i * (i - 1) // 2
    return order[starts[person] + i], order[starts[person] + j]


def _different_pairs(identity: np.ndarray, limit: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    left = random.integers(len(identity), size=limit)
    # Stepping over the rows of the same person keeps every other row equally likely.
    order = np.argsort(identity, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    names, counts = np.unique(identity, return_counts=True)
    start = (np.cumsum(counts) - counts)[np.searchsorted(names, identity)]
    own = counts[np.searchsorted(names, identity)]
    step = random.integers(len(identity) - own[left])
    right = order[(start[left] + own[left] + step) % len(identity)]
    return left, right


def _angle(mu: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(cosine(mu[left], mu[right])))
