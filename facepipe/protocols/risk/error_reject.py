"""Error-versus-reject curves: false non-matches at a fixed threshold when the least certain pairs are rejected."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from facepipe.errors import DatasetError
from facepipe.protocols.risk.table import cuts
from facepipe.score import threshold_at_far

CURVE_SHARES = tuple(hundredth / 100 for hundredth in range(100))


@dataclass(frozen=True)
class ErrorReject:
    """The curve of one confidence.

    Attributes:
        fmr: the requested false-match rate, which the threshold has on all pairs.
        threshold: a pair is a match if its score is at or above it; fixed for all shares.
        rejected: shares of pairs rejected, ascending.
        kept: number of pairs kept at each share.
        fnmr: false non-match rate of the genuine pairs kept; if there are none, the previous rate.
        kept_fmr: false-match rate of the impostor pairs kept, likewise.
        area: AUERC, the area under ``fnmr`` over ``rejected``, by the trapezoidal rule; lower is better.
        area_30: the same up to a share of 0.3.
    """

    fmr: float
    threshold: float
    rejected: tuple[float, ...]
    kept: tuple[int, ...]
    fnmr: tuple[float, ...]
    kept_fmr: tuple[float, ...]
    area: float
    area_30: float


def error_reject(
    score: np.ndarray,
    same: np.ndarray,
    uncertainty: np.ndarray,
    fmr: float = 1e-3,
    shares: Sequence[float] = CURVE_SHARES,
) -> ErrorReject:
    """FNMR over the rejected share, at the threshold with rate ``fmr`` when nothing is rejected.

    At share ρ the pairs with an uncertainty up to the 100·(1 − ρ)-th percentile are kept, including all
    pairs tied with it.

    Args:
        score, same, uncertainty: length M, of all pairs.
        fmr: false-match rate, between 0 and 1.
        shares: ascending, each at least 0 and below 1.

    Raises:
        DatasetError: no genuine pairs, or a share out of range or order.
        FacepipeError: too few impostor pairs for ``fmr``, or a score is not finite.
    """
    if not same.any():
        raise DatasetError("there are no genuine pairs, so there is no false non-match rate; check the pairs list")
    if any(after <= before for before, after in pairwise(shares)):
        raise DatasetError("shares to reject must be ascending")
    threshold = threshold_at_far(score[~same], fmr)
    match = score >= threshold
    order = np.argsort(uncertainty, kind="stable")
    kept = np.searchsorted(uncertainty[order], cuts(uncertainty, shares), side="right")
    fnmr = _rate((~match & same)[order], same[order], kept)
    kept_fmr = _rate((match & ~same)[order], ~same[order], kept)
    return ErrorReject(
        fmr,
        threshold,
        tuple(float(share) for share in shares),
        tuple(kept.tolist()),
        tuple(fnmr.tolist()),
        tuple(kept_fmr.tolist()),
        area(shares, fnmr, 1.0),
        area(shares, fnmr, 0.3),
    )


def ideal_uncertainty(score: np.ndarray, same: np.ndarray, fmr: float = 1e-3) -> np.ndarray:
    """The uncertainty of an oracle, float64 M: false non-matches are the first to be rejected.

    No confidence has a lower `error_reject` curve at any share. The values are ranks, without ties.

    Raises:
        FacepipeError: see `error_reject`.
    """
    missed = same & (score < threshold_at_far(score[~same], fmr))
    rank = np.empty(len(score))
    rank[np.argsort(missed, kind="stable")] = np.arange(len(score))
    return rank


def area(shares: Sequence[float], values: np.ndarray, end: float) -> float:
    """Area under ``values`` over ``shares`` up to ``end``, by the trapezoidal rule; at most up to the last share."""
    x, y = np.asarray(shares, np.float64), np.asarray(values, np.float64)
    inside = x <= end + 1e-12
    x, y = x[inside], y[inside]
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


def _rate(wrong: np.ndarray, counted: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Share of ``wrong`` among ``counted`` in the first ``kept`` pairs; the previous value if none is counted."""
    errors = np.concatenate([[0], np.cumsum(wrong)])[kept]
    total = np.concatenate([[0], np.cumsum(counted)])[kept]
    known = total > 0
    rate = np.where(known, errors / np.maximum(total, 1), 0.0)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(kept)), 0))
    return rate[latest]
