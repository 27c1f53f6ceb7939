"""Risk-controlled verification as ProbFace reports it: accuracy when the least certain pairs are rejected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.errors import DatasetError
from facepipe.protocols.result import FoldResult
from facepipe.protocols.verification.tenfold import mean_and_error
from facepipe.tables import counted

SHARES = (0.0, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class RiskRow:
    """One line of the table.

    Attributes:
        rejected: share of pairs to reject.
        cut: the uncertainty above which pairs were rejected.
        kept: number of pairs with at most this uncertainty.
        accuracy, std_error: mean over folds and its standard error, fractions.
        threshold: mean over folds of the acceptance threshold.
    """

    rejected: float
    cut: float
    kept: int
    accuracy: float
    std_error: float
    threshold: float


def risk_table(
    score: np.ndarray,
    same: np.ndarray,
    uncertainty: np.ndarray,
    shares: Sequence[float] = SHARES,
    folds: int = 10,
) -> tuple[RiskRow, ...]:
    """Verification accuracy of the pairs that are kept (verification_risk.py of KaenChan/ProbFace).

    For each share ρ the pairs with an uncertainty up to the 100·(1 − ρ)-th percentile are kept and split again into
    contiguous folds, the first ones longer by one if the division is uneven. Each fold is judged (accept at ≥) with a
    threshold from the others: the mean of those genuine scores in them, with repeats, that give the highest accuracy.

    Args:
        score, same, uncertainty: length M, of pairs in fold order.
        shares: each at least 0 and below 1.
        folds: number of folds, at least 2.

    Raises:
        DatasetError: a share is out of range, too few pairs are left, or there is no genuine pair for a threshold.
    """
    rows = []
    for share, cut in zip(shares, cuts(uncertainty, shares), strict=True):
        kept = uncertainty <= cut
        results = _folds(score[kept], same[kept], folds, share)
        accuracy, error = mean_and_error(results)
        threshold = float(np.mean([result.threshold for result in results]))
        rows.append(RiskRow(float(share), float(cut), int(kept.sum()), accuracy, error, threshold))
    return tuple(rows)


def cuts(uncertainty: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The uncertainty up to which pairs are kept when a share ρ is rejected, in the order of ``shares``.

    It is the highest uncertainty not above the linear percentile 100·(1 − ρ): the same pairs are kept, and rounding
    cannot put the percentile below a value that it should equal.

    Raises:
        DatasetError: there are no pairs, or a share is not at least 0 and below 1.
    """
    wrong = [share for share in shares if not 0 <= share < 1]
    if wrong:
        raise DatasetError(f"cannot reject a share of {wrong[0]:g}; shares must be at least 0 and below 1")
    if not len(uncertainty):
        raise DatasetError("there are no pairs; check the pairs list")
    rank = np.floor((1 - np.asarray(shares, np.float64)) * (len(uncertainty) - 1) + 1e-9).astype(np.int64)
    return np.sort(uncertainty)[rank]


def _folds(score: np.ndarray, same: np.ndarray, folds: int, share: float) -> list[FoldResult]:
    if len(score) < folds:
        left = f"only {counted(len(score), 'pair')} left for {counted(folds, 'fold')}"
        raise DatasetError(f"{left} with {share:g} rejected; reject fewer")
    results = []
    for here in np.array_split(np.arange(len(score)), folds):
        rest = np.ones(len(score), bool)
        rest[here] = False
        threshold = _threshold(score[rest & same], score[rest & ~same])
        right = (score[here] >= threshold) == same[here]
        results.append(FoldResult(float(right.mean()), threshold, len(here)))
    return results


def _threshold(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Mean of the genuine scores, with repeats, at which most pairs are judged correctly."""
    if not len(genuine):
        raise DatasetError("there is no genuine pair outside a fold to take a threshold from; reject fewer")
    candidates, low = np.sort(genuine), np.sort(impostor)
    accepted = len(candidates) - np.searchsorted(candidates, candidates, side="left")
    right = accepted + np.searchsorted(low, candidates, side="left")
    best = candidates[right == right.max()]
    # The mean of equal scores must be that score: rounded up, it would reject pairs that tie with it.
    return float(np.clip(best.mean(), best[0], best[-1]))
