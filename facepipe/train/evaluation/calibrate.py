"""Decision thresholds from identities held out of training."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.score import Logistic, fit_logistic, threshold_at_far, unit

LARGEST = 4000
"""Maximum number of crops compared all against all: eight million pairs."""

EmbedCrops = Callable[[np.ndarray], np.ndarray]
"""uint8 N×H×W×3 RGB crops → float N×D embeddings."""


@dataclass(frozen=True)
class MeasuredThreshold:
    """A threshold; pairs with a score of at least ``value`` are accepted.

    Attributes:
        far: requested false-accept rate.
        value: the lowest threshold that does not exceed it.
        tar: true-accept rate at this threshold.
        score: the kind of score: ``cosine``, ``scf`` or ``mls``.
    """

    far: float
    value: float
    tar: float
    score: str = "cosine"


def pair_scores(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs of different crops: (genuine, impostor), float32.

    Args:
        embeddings: float N×D.
        labels: integer N.
    """
    direction = unit(embeddings).astype(np.float32)
    upper = np.triu_indices(len(labels), 1)
    scores = (direction @ direction.T)[upper]
    same = labels[upper[0]] == labels[upper[1]]
    return scores[same], scores[~same]


def calibrate(
    embeddings: np.ndarray, labels: np.ndarray, fars: list[float]
) -> tuple[list[MeasuredThreshold], list[str]]:
    """Thresholds at each false-accept rate that the pairs can resolve, and a note on each they cannot."""
    return thresholds_at(*pair_scores(embeddings, labels), fars)


def thresholds_at(
    genuine: np.ndarray, impostor: np.ndarray, fars: list[float], score: str = "cosine"
) -> tuple[list[MeasuredThreshold], list[str]]:
    """As `calibrate`, from the scores of genuine and impostor pairs."""
    thresholds, notes = [], []
    for far in fars:
        try:
            value = threshold_at_far(impostor, far)
        except FacepipeError as error:
            notes.append(f"no threshold: {error}; raise data.held_out")
            continue
        tar = float((genuine >= value).mean()) if len(genuine) else 0.0
        thresholds.append(MeasuredThreshold(far, value, tar, score))
    return thresholds, notes


def curve_of(genuine: np.ndarray, impostor: np.ndarray) -> tuple[Logistic | None, list[str]]:
    """The logistic curve from score to probability, or None and a note where it cannot be fitted."""
    try:
        return fit_logistic(genuine, impostor), []
    except FacepipeError as error:
        return None, [f"no probability: {error}"]


def subset(count: int, seed: int) -> np.ndarray:
    """At most ``LARGEST`` of ``count`` indices, ascending, determined by the seed."""
    if count <= LARGEST:
        return np.arange(count)
    chosen = np.random.Generator(np.random.Philox(key=[seed, 0xCA1B])).choice(count, LARGEST, replace=False)
    return np.sort(chosen)
