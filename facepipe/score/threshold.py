"""Decision thresholds at a stated false-accept rate."""

import numpy as np

from facepipe.errors import EmbeddingsError, FacepipeError


def threshold_at_far(impostor: np.ndarray, far: float) -> float:
    """The threshold t at which accepting scores ≥ t lets through at most ``far`` of the impostors.

    It is the k-th highest impostor score, k = ⌊far·N⌋, or the next number above it where a tie there would
    let through more than k.

    Args:
        impostor: float N, scores of pairs of different people.
        far: false-accept rate, between 0 and 1.

    Raises:
        FacepipeError: a score is not finite, or there are fewer impostors than 1/far, so that the rate cannot be
            measured.
    """
    return threshold_of_ascending(ascending(impostor), far)


def ascending(scores: np.ndarray) -> np.ndarray:
    """The scores sorted, in a float dtype; of float scores their own.

    Raises:
        FacepipeError: a score is not finite.
    """
    scores = np.asarray(scores)
    # In their own precision: a step of float64 is lost when it is compared with float32 scores.
    scores = np.sort(scores if scores.dtype.kind == "f" else scores.astype(np.float64))
    require_finite_scores(scores[:1])
    require_finite_scores(scores[-1:])  # NaN is sorted last
    return scores


def require_finite_scores(scores: np.ndarray) -> None:
    """Refuse scores that say nothing.

    Args:
        scores: of any shape.

    Raises:
        EmbeddingsError: one is NaN or infinite.
    """
    if not np.isfinite(scores).all():
        raise EmbeddingsError(
            "scores must be finite numbers, but some are not: the embeddings are damaged, or a template is empty; "
            "embed again"
        )


def threshold_of_ascending(impostor: np.ndarray, far: float) -> float:
    """`threshold_at_far` of scores that `ascending` sorted, for those who ask at several rates."""
    allowed = int(np.floor(far * len(impostor) + 1e-9))
    if not 0 < far < 1 or allowed < 1:
        raise FacepipeError(f"a false-accept rate of {far:g} cannot be measured on {len(impostor)} impostor pairs")
    highest = impostor[::-1]
    if allowed < len(highest) and highest[allowed] == highest[allowed - 1]:
        # The tie would let in more than allowed: step above it.
        return float(np.nextafter(highest[allowed], impostor.dtype.type(np.inf)))
    return float(highest[allowed - 1])
