"""Decision thresholds from identities that were kept out of training."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facepipe.errors import FacepipeError
from facepipe.score import Logistic, fit_logistic, threshold_at_far, unit

LARGEST = 4000
"""Crops that are compared, all with all: eight million pairs."""

EmbedCrops = Callable[[np.ndarray], np.ndarray]
"""uint8 N×H×W×3 RGB crops → float N×D embeddings."""


@dataclass(frozen=True)
class MeasuredThreshold:
    """A pair is accepted at ``value`` or above.

    Attributes:
        far: the false-accept rate asked for.
        value: the lowest threshold that keeps to it.
        tar: share of the genuine pairs accepted there.
        score: what ``value`` is a value of: ``cosine``, ``scf`` or ``mls``.
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
    """Thresholds at the false-accept rates that the pairs can tell, and a note on each that they cannot."""
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
    """The probability that scores stand for, or None and a note where these tell none."""
    try:
        return fit_logistic(genuine, impostor), []
    except FacepipeError as error:
        return None, [f"no probability: {error}"]


def subset(count: int, seed: int) -> np.ndarray:
    """At most ``LARGEST`` of ``count`` positions, ascending, the same for the same seed."""
    if count <= LARGEST:
        return np.arange(count)
    chosen = np.random.Generator(np.random.Philox(key=[seed, 0xCA1B])).choice(count, LARGEST, replace=False)
    return np.sort(chosen)
