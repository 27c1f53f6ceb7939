"""Decision thresholds at a given false-accept rate."""

import numpy as np

from facepipe.errors import EmbeddingsError, FacepipeError
from facepipe.tables import counted


def threshold_at_far(impostor: np.ndarray, far: float) -> float:
    """The threshold t such that scores ≥ t accept at most a fraction ``far`` of the impostors.

    It is the k-th highest impostor score, k = ⌊far·N⌋, or the next representable number above it if a tie would
    accept more than k.

    Args:
        impostor: float N, scores of pairs of different people.
        far: false-accept rate, between 0 and 1.

    Raises:
        FacepipeError: a score is not finite, or there are fewer than 1/far impostors, too few to measure the rate.
    """
    return threshold_of_ascending(ascending(impostor), far)


def ascending(scores: np.ndarray) -> np.ndarray:
    """Sort scores, keeping their dtype if it is floating point.

    Raises:
        FacepipeError: a score is not finite.
    """
    scores = np.asarray(scores)
    # In their own precision: the next float64 number is lost in comparisons with float32 scores.
    scores = np.sort(scores if scores.dtype.kind == "f" else scores.astype(np.float64))
    require_finite_scores(scores[:1])
    require_finite_scores(scores[-1:])  # NaN is sorted last
    return scores


def require_finite_scores(scores: np.ndarray) -> None:
    """Refuse NaN and infinite scores.

    Args:
        scores: of any shape.

    Raises:
        EmbeddingsError: one is NaN or infinite.
    """
    if not np.isfinite(scores).all():
        raise EmbeddingsError(
            "scores contain NaN or infinite values: the embeddings are damaged, or a template is empty; embed again"
        )


def threshold_of_ascending(impostor: np.ndarray, far: float) -> float:
    """`threshold_at_far` for scores sorted by `ascending`, to compute several thresholds."""
    allowed = int(np.floor(far * len(impostor) + 1e-9))
    if not 0 < far < 1 or allowed < 1:
        pairs = counted(len(impostor), "impostor pair")
        raise FacepipeError(f"a false-accept rate of {far:g} cannot be measured on {pairs}")
    highest = impostor[::-1]
    if allowed < len(highest) and highest[allowed] == highest[allowed - 1]:
        # The tie would accept too many: go above it.
        return float(np.nextafter(highest[allowed], impostor.dtype.type(np.inf)))
    return float(highest[allowed - 1])
